"""Double a number and a text with omniORBpy alone, by the name that a naming service knows.

$ python -m ipckit.examples.corba_names_bare_client corbaname://127.0.0.1:PORT/doubler
double(21) = 42
double_text('日本') = '日本日本'
"""

import os
import sys
import sysconfig
from typing import Any, Final
from urllib.parse import urlsplit

import CosNaming
from omniORB import CORBA, importIDLString

IDL: Final = """
interface Doubler {
    long long _double(in long long number);  // double is a word of IDL: _ escapes it
    string double_text(in string text);
};
"""
UTF8: Final = ["-ORBnativeCharCodeSet", "UTF-8", "-ORBdefaultCharCodeSet", "UTF-8"]
os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDLString(IDL, ["-N"])  # no preprocessor: it finds none in a folder with a blank
stubs: Any = sys.modules["_GlobalIDL"]


def main(address: str) -> None:
    url = urlsplit(address)
    orb = CORBA.ORB_init(UTF8)
    root = orb.string_to_object(f"corbaloc:iiop:1.2@{url.netloc}/NameService")
    names = root._narrow(CosNaming.NamingContextExt)
    doubler = names.resolve_str(url.path[1:])._narrow(stubs.Doubler)
    print("double(21) =", doubler.double(21))
    print("double_text('日本') =", repr(doubler.double_text("日本")))
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
