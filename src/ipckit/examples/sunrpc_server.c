// Serve the two operations of simp.x in C, with the dispatcher that rpcgen makes of it.
// Needs: rpcgen (Debian: rpcsvc-proto)
// Needs: cc (Debian: gcc)
// Needs: /usr/include/tirpc/rpc/rpc.h (Debian: libtirpc-dev)
//
// `ipckit recipe sunrpc_server.c --copy .` brings simp.x beside it. rpcgen's own main() would
// register with the port mapper; this one (`rpcgen -m` makes none) says where it listens.
//
// $ rpcgen -C -h -o simp.h simp.x
// $ rpcgen -C -c -o simp_xdr.c simp.x
// $ rpcgen -C -m -o simp_svc.c simp.x
// $ cc -I/usr/include/tirpc -o sunrpc_server sunrpc_server.c simp_svc.c simp_xdr.c -ltirpc
// $ ./sunrpc_server sunrpc://127.0.0.1:0
// ready sunrpc://127.0.0.1:PORT

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "simp.h"

void simp_prog_1(struct svc_req *, SVCXPRT *);

int *add_1_svc(operands *numbers, struct svc_req *request)
{
    static int result;
    result = numbers->x + numbers->y;
    return &result;
}

int *sub_1_svc(operands *numbers, struct svc_req *request)
{
    static int result;
    result = numbers->x - numbers->y;
    return &result;
}

static void stop(int number)
{
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_in place = { .sin_family = AF_INET };
    socklen_t size = sizeof place;
    unsigned short port;
    char host[16];
    if (argc != 2 || sscanf(argv[1], "sunrpc://%15[0-9.]:%hu", host, &port) != 2) {
        fprintf(stderr, "usage: sunrpc_server sunrpc://127.0.0.1:0\n");
        return 2;
    }
    inet_pton(AF_INET, host, &place.sin_addr);
    place.sin_port = htons(port);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);

    int sock = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(sock, (struct sockaddr *) &place, size) || listen(sock, SOMAXCONN)) {
        perror(argv[1]);
        return 3;
    }
    SVCXPRT *transport = svc_vc_create(sock, 0, 0);
    // The last 0: not to be registered with the port mapper.
    if (transport == NULL || !svc_register(transport, SIMP_PROG, SIMP_VERSION, simp_prog_1, 0)) {
        fprintf(stderr, "%s: libtirpc cannot serve there\n", argv[1]);
        return 3;
    }
    getsockname(sock, (struct sockaddr *) &place, &size);
    printf("ready sunrpc://%s:%d\n", host, ntohs(place.sin_port));
    fflush(stdout);
    svc_run();
    return 1;
}
