/* The server of the bench in C: what rpcgen makes of its contract, and libtirpc.
 *
 * libtirpc_server tcp|udp|unix ADDRESS PATH: prints the address, with its port if it has one, and
 * serves until it is killed or its parent ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "bench.h"

void bench_prog_1(struct svc_req *request, SVCXPRT *transport);

int *
add_1_svc(Operands operands, struct svc_req *request)
{
    static int sum;
    sum = operands.x + operands.y;
    return &sum;
}

/* What comes is what goes: each result has the form of its argument. */
#define RETURN(result, argument)                                                                   \
    static result same;                                                                            \
    memcpy(&same, &(argument), sizeof same);                                                       \
    return &same

echo_result *
echo_1_svc(echo_data octets, struct svc_req *request)
{
    RETURN(echo_result, octets);
}

records_result *
records_1_svc(records_records list, struct svc_req *request)
{
    RETURN(records_result, list);
}

structs_result *
structs_1_svc(structs_records list, struct svc_req *request)
{
    RETURN(structs_result, list);
}

static int
bound(int type, unsigned short *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int fd = socket(AF_INET, type, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) < 0
        || getsockname(fd, (struct sockaddr *)&name, &size) < 0) {
        perror("bind");
        exit(1);
    }
    *port = ntohs(name.sin_port);
    return fd;
}

int
main(int count, char **words)
{
    SVCXPRT *transport = NULL;
    unsigned short port = 0;
    const char *how = count == 4 ? words[1] : "";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(how, "unix")) {
        transport = svcunix_create(RPC_ANYSOCK, 0, 0, words[3]);
    } else if (!strcmp(how, "tcp")) {
        int fd = bound(SOCK_STREAM, &port);
        if (listen(fd, 64) == 0)
            transport = svc_vc_create(fd, 0, 0);
    } else if (!strcmp(how, "udp")) {
        transport = svc_dg_create(bound(SOCK_DGRAM, &port), 65536, 65536);
    }
    if (transport == NULL || !svc_register(transport, BENCH_PROG, Bench, bench_prog_1, 0)) {
        fprintf(stderr, "cannot serve over %s\n", how);
        return 1;
    }
    if (port)
        printf("%s:%d\n", words[2], port);
    else
        puts(words[2]);
    fflush(stdout);
    svc_run();
    return 1;
}
