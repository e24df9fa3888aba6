/* A client that rpcgen made: simp.x, observatory.x and sunrpc_odd.x, without a port mapper.
 *
 *     sunrpc_client tcp|udp PORT | unix PATH  [-u UID GID GID,... MACHINE] [-t SECONDS] COMMAND
 *
 * Prints what came back, or `error: ` and what libtirpc says of it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "observatory.h"
#include "odd.h"
#include "simp.h"

enum { DATAGRAM = 65000, PATIENCE = 20 };

static char **words;
static AUTH *auth;
static struct timeval patience = {PATIENCE, 0};
static CLIENT *client;

static char *word(void)
{
    if (!*words) {
        fprintf(stderr, "a word is missing\n");
        exit(2);
    }
    return *words++;
}

static long number(void)
{
    return strtol(word(), NULL, 0);
}

/* A client of one program and version at the address that main was given. */
static CLIENT *made(char **address, u_long program, u_long version)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct timeval again = {1, 0};
    int fd = RPC_ANYSOCK;

    there.sin_port = htons(atoi(address[1]));
    if (!strcmp(address[0], "tcp")) {
        client = clnttcp_create(&there, program, version, &fd, 0, 0);
    } else if (!strcmp(address[0], "udp")) {
        client = clntudp_bufcreate(&there, program, version, again, &fd, DATAGRAM, DATAGRAM);
    } else {
        strncpy(path.sun_path, address[1], sizeof path.sun_path - 1);
        client = clntunix_create(&path, program, version, &fd, 0, 0);
    }
    if (!client) {
        printf("error: %s\n", clnt_spcreateerror("create"));
        exit(1);
    }
    if (auth)
        client->cl_auth = auth;
    clnt_control(client, CLSET_TIMEOUT, (char *)&patience);
    return client;
}

static void *got(void *result)
{
    if (!result) {
        printf("error: %s\n", clnt_sperror(client, "call"));
        exit(0);
    }
    return result;
}

static int called(u_long procedure, xdrproc_t in, void *argument, xdrproc_t out, void *result)
{
    enum clnt_stat status = clnt_call(client, procedure, in, argument, out, result, patience);

    if (status != RPC_SUCCESS)
        got(NULL);
    return 0;
}

/* The commands; each takes its own words. */

static void simp(char **address, int is_sum)
{
    operands two;

    two.x = number();
    two.y = number();
    made(address, SIMP_PROG, SIMP_VERSION);
    printf("%d\n", *(int *)got(is_sum ? add_1(&two, client) : sub_1(&two, client)));
}

/* PROGRAM VERSION PROCEDURE [NUMBER...]: whatever the numbers are, in one call */
static bool_t xdr_numbers(XDR *xdr, char **each)
{
    for (; *each; each++) {
        int one = strtol(*each, NULL, 0);
        if (!xdr_int(xdr, &one))
            return FALSE;
    }
    return TRUE;
}

static void raw(char **address)
{
    u_long program = number(), version = number(), procedure = number();

    made(address, program, version);
    called(procedure, (xdrproc_t)xdr_numbers, words, (xdrproc_t)xdr_void, NULL);
    puts("done");
}

/* FROM TO: finds a station and registers the same under another name */
static void copy(char **address)
{
    char *from = word(), *to = word();
    station *found;

    made(address, OBSERVATORY_PROG, OBSERVATORY_2);
    found = got(find_2(&from, client));
    found->called = to;
    printf("%d\n", *(bool_t *)got(register_2(found, client)));
}

static void show(char **address)
{
    char *wanted = word();
    station *found;
    int place;

    made(address, OBSERVATORY_PROG, OBSERVATORY_2);
    found = got(find_2(&wanted, client));
    printf("%s %.*s ", found->called, DIGEST, found->key);
    if (found->site.corners == 0)
        printf("round %a", found->site.shape_u.radius);
    else if (found->site.corners == 4)
        printf("square %a %a", found->site.shape_u.sides[0], found->site.shape_u.sides[1]);
    else
        printf("%d corners, %u octets", found->site.corners,
               found->site.shape_u.drawing.drawing_len);
    for (note *one = found->seen; one; one = one->next)
        printf("; %s: %s", one->author, one->text);
    for (place = 0; place < found->offsets.offsets_len; place++)
        printf("%s%a", place ? " " : "; ", found->offsets.offsets_val[place]);
    puts("");
}

static void told(char **address)
{
    u_long version = number();
    char *wanted = word();
    report *found;
    reading *one;
    int many;

    made(address, OBSERVATORY_PROG, version);
    found = got(version == OBSERVATORY_1 ? read_1(&wanted, client) : read_2(&wanted, client));
    printf("%d", found->status);
    if (found->status == TOO_MANY || found->status == ASLEEP)
        printf(" %u", found->report_u.seconds);
    if (found->status == NO_PROBLEM) {
        many = found->report_u.found.readings_len;
        one = found->report_u.found.readings_val;
        printf(" %d readings", many);
        if (many)
            printf(" %lld %llu %a %a %d %d", (long long)one->time, (unsigned long long)one->counter,
                   one->temperature, one->pressure, one->quality, one->calibrated);
    }
    puts("");
}

static void noted(char **address)
{
    char *count = word();
    long many = 0, sum = 0;

    made(address, OBSERVATORY_PROG, OBSERVATORY_2);
    for (note *one = *(notes *)got(notes_2(&count, client)); one; one = one->next, many++)
        sum += atoi(one->text);
    printf("%ld notes of %ld\n", many, sum);
}

static void who(char **address)
{
    whoever *known;
    int place;

    made(address, ODD_PROG, ODD_1);
    known = got(who_1(NULL, client));
    printf("%d %u %u [", known->known, known->uid, known->gid);
    for (place = 0; place < known->gids.gids_len; place++)
        printf(place ? " %u" : "%u", known->gids.gids_val[place]);
    printf("] %s\n", known->machine);
}

/* SIZE: octets of which each shows when it is out of place */
static void same(char **address)
{
    blob given, *back;
    u_int place;

    given.blob_len = number();
    given.blob_val = malloc(given.blob_len);
    for (place = 0; place < given.blob_len; place++)
        given.blob_val[place] = place % 251;
    made(address, ODD_PROG, ODD_1);
    back = got(same_1(&given, client));
    printf("%u %s\n", back->blob_len,
           back->blob_len == given.blob_len && !memcmp(back->blob_val, given.blob_val, place)
               ? "same" : "different");
}

/* COUNT: that many calls that nobody answers, in one batch, and one that flushes them */
static void batch(char **address)
{
    struct timeval none = {0, 0};
    long calls = number();
    int place;

    made(address, ODD_PROG, ODD_1);
    for (place = 1; place <= calls; place++)
        clnt_call(client, COUNT, (xdrproc_t)xdr_int, (char *)&place, (xdrproc_t)xdr_void,
                  NULL, none);
    printf("%d\n", *(int *)got(counted_1(NULL, client)));
}

static void answered(char **address)
{
    answer how = number();

    made(address, ODD_PROG, ODD_1);
    got(answer_1(&how, client));
    puts("done");
}

static void authenticate(void)
{
    uid_t uid = number();
    gid_t gid = number(), gids[16];
    char *each = word(), *machine = word();
    int many = 0;

    for (each = strtok(each, ","); each; each = strtok(NULL, ","))
        gids[many++] = strtoul(each, NULL, 10);
    auth = authunix_create(machine, uid, gid, many, gids);
}

int main(int count, char **given)
{
    char **address = given + 1, *command;

    words = given + 3;
    command = word();
    if (!strcmp(command, "-u")) {
        authenticate();
        command = word();
    }
    if (!strcmp(command, "-t")) {
        patience.tv_sec = number();
        command = word();
    }
    if (!strcmp(command, "add") || !strcmp(command, "sub"))
        simp(address, *command == 'a');
    else if (!strcmp(command, "call"))
        raw(address);
    else if (!strcmp(command, "copy"))
        copy(address);
    else if (!strcmp(command, "show"))
        show(address);
    else if (!strcmp(command, "read"))
        told(address);
    else if (!strcmp(command, "notes"))
        noted(address);
    else if (!strcmp(command, "who"))
        who(address);
    else if (!strcmp(command, "same"))
        same(address);
    else if (!strcmp(command, "batch"))
        batch(address);
    else if (!strcmp(command, "answer"))
        answered(address);
    else
        return 2;
    return 0;
}
