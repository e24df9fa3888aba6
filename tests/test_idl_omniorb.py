"""Every `.idl` file that omniORB ships, as Debian installs them: each is a module of contracts."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from requirements import require_program

import ipckit
from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit.contracts import idl
from ipckit.contracts.modules import contracts
from ipckit.corba import NameService
from ipckit.errors import ContractError
from ipckit.examples.doubler import Doubler

INSTALLED = Path("/usr/share/idl/omniORB")
SERVICES = INSTALLED / "COS"
CORE = """
Naming bootstrap boxes compression corbaidl echo ir messaging messaging_policy orb poa poa_include
pollable ziop
"""
COS = """
CosCollection CosCompoundLifeCycle CosConcurrencyControl CosContainment CosEventChannelAdmin
CosEventComm CosExternalization CosExternalizationContainment CosExternalizationReference CosGraphs
CosLicensingManager CosLifeCycle CosLifeCycleContainment CosLifeCycleReference CosNaming
CosNotification CosNotifyChannelAdmin CosNotifyComm CosNotifyFilter CosObjectIdentity
CosPersistenceDDO CosPersistenceDS_CLI CosPersistencePDS CosPersistencePDS_DA CosPersistencePID
CosPersistencePO CosPersistencePOM CosPropertyService CosQuery CosQueryCollection CosReference
CosRelationships CosStream CosTime CosTimerEvent CosTrading CosTradingDynamic CosTradingRepos
CosTransactions CosTypedEventChannelAdmin CosTypedEventComm CosTypedNotifyChannelAdmin
CosTypedNotifyComm LifeCycleService Lname-library RDITestTypes TimeBase
"""
FILES = [
    *(INSTALLED / f"{name}.idl" for name in CORE.split()),
    *(SERVICES / f"{name}.idl" for name in COS.split()),
]
# These name types that no file of omniORB defines: omniidl compiles none of them either.
BROKEN = {
    "CosTSPortability": "CosTSPortability.idl:25: Error in look-up of 'CORBA::Environment'",
    "DCE_CIOPSecurity": "DCE_CIOPSecurity.idl:10: IOP.idl: No such file",
    "SECIOP": "SECIOP.idl:15: IOP.idl: No such file",
    "SSLIOP": "SSLIOP.idl:10: IOP.idl: No such file",
    **dict.fromkeys(
        (
            *("NRService", "Security", "SecurityAdmin", "SecurityLevel1", "SecurityLevel2"),
            "SecurityReplaceable",
        ),
        "Security.idl:28: Error in look-up of 'CORBA::ServiceOption'",
    ),
}
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
COMPILE = "import sys; from omniidl import main; main.main(['omniidl', *sys.argv[1:]])"


@pytest.fixture(autouse=True)
def installed() -> None:
    """Skip where omniORB's files are not installed."""
    if not (INSTALLED / "orb.idl").exists():
        require_program("omniORB's orb.idl", "omniorb-idl")


def test_these_are_all_files_that_are_installed() -> None:
    known = {*FILES, *(SERVICES / f"{name}.idl" for name in BROKEN)}
    assert {*INSTALLED.rglob("*.idl")} == known


@each_file
def test_each_file_is_a_module_of_contracts(path: Path) -> None:
    for contract in contracts(ipckit.load(path)).values():
        assert contract_of(contract).operations


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_compiler_takes_is_refused_with_its_words(name: str) -> None:
    with pytest.raises(ContractError) as caught:
        ipckit.load(SERVICES / f"{name}.idl")
    assert BROKEN[name] in str(caught.value)


def repository_ids(*arguments: str) -> set[str]:
    """Return the repository ids in the stubs that omniidl makes of a file."""
    command = [sys.executable, "-c", COMPILE, "-bpython", "-Wbstdout", "-Wbinline", "-nf"]
    ran = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=50)
    assert ran.returncode == 0, ran.stderr
    return {*re.findall(r'_NP_RepositoryId = "([^"]*)"', ran.stdout)}


@pytest.mark.timeout(120)
def test_omniidl_sees_in_the_text_of_a_module_what_it_sees_in_the_file(tmp_path: Path) -> None:
    found = find_spec("jeteve_omniorb")
    assert found is not None
    assert found.origin is not None
    preprocessor = Path(found.origin).with_name("bin") / "omnicpp"
    folders = [f"-I{INSTALLED}", f"-I{SERVICES}"]
    for path in FILES:
        module = ipckit.load(path)
        if contracts(module):
            (tmp_path / "it.idl").write_text(module._IDL)
            command = f"-Y'{preprocessor}' -lang-c++ -undef -D__OMNIIDL__=0x2630"
            theirs = repository_ids(command, *folders, str(path))
            assert repository_ids("-N", str(tmp_path / "it.idl")) == theirs


@pytest.mark.timeout(120)
def test_the_python_is_clean_to_mypy_and_ruff(tmp_path: Path) -> None:
    for path in FILES:
        (tmp_path / f"{path.stem.replace('-', '_')}.py").write_text(idl.python(path))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    ruff = [sys.executable, "-m", "ruff"]
    layout = [*ruff, "format", "--isolated", "--line-length=100", "--check"]
    for command in ([*mypy, *map(str, tmp_path.glob("*.py"))], [*layout, "."]):
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_naming_service_reads_as_a_person_would_write_it() -> None:
    module = ipckit.load(SERVICES / "CosNaming.idl")
    operations = contract_of(module.NamingContext).operations
    assert str(operations["resolve"]) == "resolve(n: list[NameComponent]) -> Reference | None"
    assert operations["resolve"].raises == (
        module.NotFound,
        module.CannotProceed,
        module.InvalidName,
    )
    assert contract_of(module.NamingContextExt).hints["corba"]["interface"] == (
        "CosNaming::NamingContextExt"
    )
    assert not hasattr(module, "LEFT_OUT")


def test_the_repository_of_interfaces_is_there_if_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "it.idl").write_text(
        "#include <orb.idl>\ninterface A { CORBA::InterfaceDef kind(); void f(); };"
    )
    with pytest.raises(ContractError, match="needs -D ENABLE_CLIENT_IR_SUPPORT"):
        ipckit.load(tmp_path / "it.idl")
    module = ipckit.load(tmp_path / "it.idl", defines={"ENABLE_CLIENT_IR_SUPPORT": "1"})
    assert "kind" in contract_of(module.A).operations


def test_a_naming_service_is_called_by_its_own_idl() -> None:
    names = ipckit.load(SERVICES / "CosNaming.idl")
    with (
        NameService() as service,
        ipckit.serve(Doubler(), "corba://127.0.0.1:0") as server,
        ipckit.connect(Doubler, server.address) as doubler,
        ipckit.connect(names.NamingContextExt, service.ior) as root,
    ):
        folder = root.bind_new_context([names.NameComponent("日本", "")])
        folder.bind([names.NameComponent("it", "kind")], doubler)
        found = root.resolve_str("日本/it.kind")
        with ipckit.connect(Doubler, str(found)) as back:
            assert back.double(21) == 42
        with pytest.raises(names.NotEmpty):
            folder.destroy()


@pytest.mark.parametrize(
    "name", ["CosNaming", "CosEventChannelAdmin", "CosTrading", "CosCompoundLifeCycle"]
)
def test_every_interface_of_a_service_can_be_called(name: str) -> None:
    for contract in contracts(ipckit.load(SERVICES / f"{name}.idl")).values():
        assert binding(contract_of(contract)).operations
