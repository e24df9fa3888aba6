"""Double a number and a text with omniORBpy alone, wherever the object is.

$ python -m ipckit.examples.corba_doubler_bare_client corba://127.0.0.1:PORT/doubler
double(21) = 42
double_text('日本') = '日本日本'
"""

import os
import sys
import sysconfig
from typing import Any, Final

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
    orb = CORBA.ORB_init(UTF8)  # the default is for addresses, which say no code set, as IOR: do
    there = orb.string_to_object(address.replace("corba://", "corbaloc:iiop:1.2@"))
    doubler = there._narrow(stubs.Doubler)
    print("double(21) =", doubler.double(21))
    print("double_text('日本') =", repr(doubler.double_text("日本")))
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
