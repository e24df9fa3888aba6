/* A server that rpcgen made: simp.x, observatory.x and sunrpc_odd.x, without a port mapper.
 *
 *     sunrpc_server tcp | udp | unix PATH      prints `ready PORT` or `ready PATH`
 *
 * Ends with its standard input.
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "observatory.h"
#include "odd.h"
#include "simp.h"

extern void simp_prog_1(struct svc_req *, SVCXPRT *);
extern void observatory_prog_1(struct svc_req *, SVCXPRT *);
extern void observatory_prog_2(struct svc_req *, SVCXPRT *);
extern void odd_prog_1(struct svc_req *, SVCXPRT *);
extern void odd_prog_3(struct svc_req *, SVCXPRT *);

enum { DATAGRAM = 65000, LARGEST = 1 << 23 };

static char nothing;

/* simp.x */

int *add_1_svc(operands *two, struct svc_req *request)
{
    static int sum;
    sum = (int)((unsigned)two->x + (unsigned)two->y);
    return &sum;
}

int *sub_1_svc(operands *two, struct svc_req *request)
{
    static int difference;
    difference = (int)((unsigned)two->x - (unsigned)two->y);
    return &difference;
}

/* observatory.x: a station is kept as its octets, so that it crosses C's types twice */

static struct kept {
    char name[MAX_NAME + 1];
    char *octets;
    struct kept *next;
} *stations;

void *forget_2_svc(void *none, struct svc_req *request)
{
    while (stations) {
        struct kept *first = stations;
        stations = first->next;
        free(first->octets);
        free(first);
    }
    return &nothing;
}

void *forget_1_svc(void *none, struct svc_req *request)
{
    return forget_2_svc(none, request);
}

bool_t *register_2_svc(station *given, struct svc_req *request)
{
    static bool_t is_new;
    struct kept *one = calloc(1, sizeof *one);
    u_long size = xdr_sizeof((xdrproc_t)xdr_station, given);
    XDR writer;

    is_new = TRUE;
    for (struct kept *other = stations; other; other = other->next)
        if (!strcmp(other->name, given->called))
            is_new = FALSE;
    strcpy(one->name, given->called);
    one->octets = malloc(size);
    xdrmem_create(&writer, one->octets, size, XDR_ENCODE);
    if (!xdr_station(&writer, given))
        abort();
    one->next = stations;
    stations = one;
    return &is_new;
}

station *find_2_svc(name *wanted, struct svc_req *request)
{
    static station found;
    XDR reader;

    xdr_free((xdrproc_t)xdr_station, (char *)&found);
    memset(&found, 0, sizeof found);
    for (struct kept *one = stations; one; one = one->next)
        if (!strcmp(one->name, *wanted)) {
            xdrmem_create(&reader, one->octets, LARGEST, XDR_DECODE);
            if (!xdr_station(&reader, &found))
                abort();
            return &found;
        }
    svcerr_systemerr(request->rq_xprt);
    return NULL;
}

/* As many notes as the name says: the first is about the last. */
notes *notes_2_svc(name *count, struct svc_req *request)
{
    static notes first;

    xdr_free((xdrproc_t)xdr_notes, (char *)&first);
    first = NULL;
    for (int place = 0; place < atoi(*count); place++) {
        char text[16];
        note *one = malloc(sizeof *one);
        snprintf(text, sizeof text, "%d", place);
        one->author = strdup("C");
        one->text = strdup(text);
        one->next = first;
        first = one;
    }
    return &first;
}

report *read_2_svc(name *wanted, struct svc_req *request)
{
    static report told;
    static reading found[MAX_READINGS];

    memset(&told, 0, sizeof told);
    if (!strcmp(*wanted, "nowhere")) {
        told.status = NO_STATION;
        return &told;
    }
    if (!strcmp(*wanted, "asleep")) {
        told.status = ASLEEP;
        told.report_u.seconds = 4294967295u;
        return &told;
    }
    told.status = NO_PROBLEM;
    told.report_u.found.readings_len = atoi(*wanted);
    told.report_u.found.readings_val = found;
    for (int place = 0; place < MAX_READINGS; place++) {
        found[place].time = (quad_t)(1ull << 63);
        found[place].counter = 18446744073709551615ull;
        found[place].temperature = 0x1p-149f;
        found[place].pressure = 0x1.fffffffffffffp1023;
        found[place].quality = BAD;
        found[place].calibrated = place % 2;
    }
    return &told;
}

report *read_1_svc(name *wanted, struct svc_req *request)
{
    return read_2_svc(wanted, request);
}

/* sunrpc_odd.x */

static int counted;

void *answer_1_svc(answer *how, struct svc_req *request)
{
    switch (*how) {
    case SYSTEM_ERROR:
        svcerr_systemerr(request->rq_xprt);
        break;
    case WEAK_AUTH:
        svcerr_weakauth(request->rq_xprt);
        break;
    case BAD_CREDENTIALS:
        svcerr_auth(request->rq_xprt, AUTH_BADCRED);
        break;
    case NO_PROGRAM:
        svcerr_noprog(request->rq_xprt);
        break;
    case BAD_ARGUMENTS:
        svcerr_decode(request->rq_xprt);
        break;
    case NO_ANSWER:
        break;
    case DEATH:
        _exit(1);
    }
    return NULL;
}

whoever *who_1_svc(void *none, struct svc_req *request)
{
    static whoever told;
    struct authunix_parms *known = (struct authunix_parms *)request->rq_clntcred;

    memset(&told, 0, sizeof told);
    told.machine = "";
    if (request->rq_cred.oa_flavor == AUTH_SYS) {
        told.known = TRUE;
        told.uid = known->aup_uid;
        told.gid = known->aup_gid;
        told.gids.gids_len = known->aup_len;
        told.gids.gids_val = (u_int *)known->aup_gids;
        told.machine = known->aup_machname;
    }
    return &told;
}

void *count_1_svc(int *by, struct svc_req *request)
{
    counted += *by;
    return NULL;
}

int *counted_1_svc(void *none, struct svc_req *request)
{
    return &counted;
}

int *counted_3_svc(void *none, struct svc_req *request)
{
    return &counted;
}

blob *same_1_svc(blob *given, struct svc_req *request)
{
    static blob back;

    free(back.blob_val);
    back = *given;
    given->blob_val = NULL;
    given->blob_len = 0;
    return &back;
}

/* The transport */

static int bound(int kind)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, kind, 0);

    if (bind(fd, (struct sockaddr *)&here, size) || (kind == SOCK_STREAM && listen(fd, 16)))
        exit(1);
    getsockname(fd, (struct sockaddr *)&here, &size);
    printf("ready %d\n", ntohs(here.sin_port));
    return fd;
}

static SVCXPRT *transport(int count, char **words)
{
    if (count == 2 && !strcmp(words[1], "tcp"))
        return svctcp_create(bound(SOCK_STREAM), 0, 0);
    if (count == 2 && !strcmp(words[1], "udp"))
        return svcudp_bufcreate(bound(SOCK_DGRAM), DATAGRAM, DATAGRAM);
    if (count == 3 && !strcmp(words[1], "unix")) {
        printf("ready %s\n", words[2]);
        return svcunix_create(RPC_ANYSOCK, 0, 0, words[2]);
    }
    return NULL;
}

int main(int count, char **words)
{
    SVCXPRT *served = transport(count, words);

    if (!served
        || !svc_register(served, SIMP_PROG, SIMP_VERSION, simp_prog_1, 0)
        || !svc_register(served, OBSERVATORY_PROG, OBSERVATORY_1, observatory_prog_1, 0)
        || !svc_register(served, OBSERVATORY_PROG, OBSERVATORY_2, observatory_prog_2, 0)
        || !svc_register(served, ODD_PROG, ODD_1, odd_prog_1, 0)
        || !svc_register(served, ODD_PROG, ODD_3, odd_prog_3, 0))
        return 1;
    fflush(stdout);
    for (;;) {
        struct pollfd polled[1024];
        int many = svc_max_pollfd;

        memcpy(polled, svc_pollfd, many * sizeof *polled);
        polled[many] = (struct pollfd){.fd = 0, .events = POLLIN};
        if (poll(polled, many + 1, -1) < 0 || polled[many].revents)
            return 0;
        svc_getreq_poll(polled, many + 1);
    }
}
