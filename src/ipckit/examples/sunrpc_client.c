// Call the two operations of simp.x in C, with what rpcgen makes of it and libtirpc.
// Needs: rpcgen (Debian: rpcsvc-proto)
// Needs: cc (Debian: gcc)
// Needs: /usr/include/tirpc/rpc/rpc.h (Debian: libtirpc-dev)
//
// `ipckit recipe sunrpc_client.c --copy .` brings simp.x beside it.
//
// $ rpcgen -C simp.x
// $ cc -I/usr/include/tirpc -o sunrpc_client sunrpc_client.c simp_clnt.c simp_xdr.c -ltirpc
// $ ./sunrpc_client sunrpc://127.0.0.1:PORT
// ADD(40, 2) = 42
// SUB(40, 2) = 38

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "simp.h"

int main(int argc, char **argv)
{
    struct sockaddr_in server = { .sin_family = AF_INET };
    unsigned short port;
    char host[16];
    if (argc != 2 || sscanf(argv[1], "sunrpc://%15[0-9.]:%hu", host, &port) != 2) {
        fprintf(stderr, "usage: sunrpc_client sunrpc://127.0.0.1:PORT\n");
        return 2;
    }
    inet_pton(AF_INET, host, &server.sin_addr);
    server.sin_port = htons(port);      // 0 would ask the port mapper

    int sock = RPC_ANYSOCK;
    CLIENT *client = clnttcp_create(&server, SIMP_PROG, SIMP_VERSION, &sock, 0, 0);
    if (client == NULL) {
        clnt_pcreateerror(argv[1]);
        return 3;
    }
    operands numbers = { 40, 2 };
    int *result = add_1(&numbers, client);
    if (result != NULL) printf("ADD(40, 2) = %d\n", *result);
    if (result != NULL) result = sub_1(&numbers, client);
    if (result != NULL) printf("SUB(40, 2) = %d\n", *result);
    else clnt_perror(client, argv[1]);
    clnt_destroy(client);
    return result == NULL;
}
