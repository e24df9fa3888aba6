/* The client of the bench in C: what rpcgen makes of its contract, and libtirpc.
 *
 * libtirpc_client tcp|udp|unix PORT-OR-PATH reads a line and answers with one:
 *
 *     open add|echo|records OCTETS RECONNECTS     ok
 *     run SECONDS                                 CALLS SECONDS
 *     close                                       ok
 *
 * or with what went wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench.h"

enum { RECORDS = 1000, TAGS = 2, WARM_UP_MS = 30 };

static const char *how, *where;
static CLIENT *client;
static char operation[16];
static int reconnects;
static u_int octets;
static char *content;
static Record list[RECORDS];
static Record_tags tags[TAGS] = {"red", "green"};

static const char *
connected(void)
{
    int fd = RPC_ANYSOCK;
    struct timeval again = {5, 0};
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!strcmp(how, "unix")) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        strncpy(path.sun_path, where, sizeof path.sun_path - 1);
        client = clntunix_create(&path, BENCH_PROG, Bench, &fd, 0, 0);
    } else {
        host.sin_port = htons(atoi(where));
        if (!strcmp(how, "udp")) {
            client = clntudp_bufcreate(&host, BENCH_PROG, Bench, again, &fd, 65536, 65536);
        } else {
            int on = 1;
            fd = socket(AF_INET, SOCK_STREAM, 0);
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            if (connect(fd, (struct sockaddr *)&host, sizeof host) < 0)
                return strerror(errno);
            client = clnttcp_create(&host, BENCH_PROG, Bench, &fd, 0, 0);
            if (client != NULL)
                clnt_control(client, CLSET_FD_CLOSE, NULL);
        }
    }
    return client == NULL ? clnt_spcreateerror("libtirpc") : NULL;
}

static void
disconnected(void)
{
    if (client != NULL)
        clnt_destroy(client);
    client = NULL;
}

/* Make one call, look at its result, and free that. */
static const char *
called(void)
{
    int fits = 0, *sum = NULL;
    echo_result *same = NULL;
    records_result *kept = NULL;
    if (!strcmp(operation, "add")) {
        Operands operands = {2, 3};
        sum = add_1(operands, client);
        if (sum == NULL)
            return clnt_sperror(client, "libtirpc");
        fits = *sum == 5;
    } else if (!strcmp(operation, "echo")) {
        echo_data data = {octets, content};
        same = echo_1(data, client);
        if (same == NULL)
            return clnt_sperror(client, "libtirpc");
        fits = same->echo_result_len == octets
               && (octets == 0 || same->echo_result_val[octets - 1] == content[octets - 1]);
        clnt_freeres(client, (xdrproc_t)xdr_echo_result, (caddr_t)same);
    } else {
        records_records all = {RECORDS, list};
        kept = records_1(all, client);
        if (kept == NULL)
            return clnt_sperror(client, "libtirpc");
        fits = kept->records_result_len == RECORDS
               && !strcmp(kept->records_result_val[RECORDS - 1].name, list[RECORDS - 1].name);
        clnt_freeres(client, (xdrproc_t)xdr_records_result, (caddr_t)kept);
    }
    return fits ? NULL : "the result is another than expected";
}

static const char *
once(void)
{
    const char *trouble = NULL;
    if (!reconnects)
        return called();
    trouble = connected();
    if (trouble == NULL)
        trouble = called();
    disconnected();
    return trouble;
}

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static const char *
repeated(double seconds, long *calls, double *taken)
{
    double start = now();
    *calls = 0;
    do {
        const char *trouble = once();
        if (trouble != NULL)
            return trouble;
        ++*calls;
        *taken = now() - start;
    } while (*taken < seconds);
    return NULL;
}

static const char *
opened(const char *line)
{
    long calls;
    double taken;
    const char *trouble = NULL;
    if (sscanf(line, "open %15s %u %d", operation, &octets, &reconnects) != 3)
        return "open what?";
    content = realloc(content, octets + 1);
    if (content == NULL)
        return "no memory";
    memset(content, 'x', octets);
    if (!reconnects)
        trouble = connected();
    return trouble == NULL ? repeated(WARM_UP_MS * 1e-3, &calls, &taken) : trouble;
}

int
main(int count, char **words)
{
    char line[256];
    if (count != 3)
        return 1;
    how = words[1];
    where = words[2];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (int n = 0; n < RECORDS; n++) {
        char name[32];
        sprintf(name, "record %d", n);
        list[n] = (Record){n, strdup(name), n * 0.5, {TAGS, tags}};
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *trouble = NULL;
        long calls = 0;
        double seconds = 0;
        if (!strncmp(line, "run", 3)) {
            trouble = repeated(atof(line + 3), &calls, &seconds);
            if (trouble == NULL)
                printf("%ld %.9f\n", calls, seconds);
        } else {
            disconnected();
            if (!strncmp(line, "open", 4))
                trouble = opened(line);
            if (trouble == NULL)
                puts("ok");
        }
        if (trouble != NULL)
            puts(trouble);
        fflush(stdout);
    }
    return 0;
}
