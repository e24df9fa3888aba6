# Call the calculator from a shell, with the command that comes with the C library xmlrpc-c.
# Needs: xmlrpc (Debian: libxmlrpc-core-c3-dev)
#
# $ sh xmlrpc_client.sh xmlrpc://127.0.0.1:PORT
# Integer: 5
# Failed.  Call failed.  RPC failed at server.  DivisionByZero: 1.0 cannot be divided by zero.  (XML-RPC fault code -32500)

url=http:${1#xmlrpc:}/RPC2

xmlrpc "$url" add i/2 i/3 | tail -n 1
xmlrpc "$url" divide d/1 d/0 2>&1 || true
