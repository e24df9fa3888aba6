/* Both ends of the .x file that `ipckit export` writes for the contract Bank.
 *
 *     sunrpc_bank serve        over TCP; prints `ready PORT`, ends with its standard input
 *     sunrpc_bank tcp PORT     deposit OWNER AMOUNT | withdraw OWNER AMOUNT | balances | owner LEAST
 *                              | note TEXT
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bank.h"

extern void bank_prog_1(struct svc_req *, SVCXPRT *);

/* The server has one account, of C's, in which there is 7. */

deposit_result *deposit_1_svc(char *name, quad_t amount, struct svc_req *request)
{
    static deposit_result result;

    memset(&result, 0, sizeof result);
    if (!strcmp(name, "C")) {
        result.deposit_result_u.value = 7 + amount;
        return &result;
    }
    result.outcome = 1;
    result.deposit_result_u.fault.kind = "KeyError";
    result.deposit_result_u.fault.message = "nobody is called so";
    return &result;
}

withdraw_result *withdraw_1_svc(char *name, quad_t amount, struct svc_req *request)
{
    static withdraw_result result = {.outcome = 2};

    result.withdraw_result_u.raised.owner_ = name;
    result.withdraw_result_u.raised.missing = amount - 7;
    return &result;
}

balances_result *balances_1_svc(struct svc_req *request)
{
    static balances_value_entry only = {"C", 7};
    static balances_result result = {.balances_result_u.value = {1, &only}};
    return &result;
}

owner_result *owner_1_svc(double least, struct svc_req *request)
{
    static owner_value name = "C";
    static owner_result result;

    result.owner_result_u.value = least <= 7 ? &name : NULL;
    return &result;
}

static char *kept;

void *note_1_svc(char *text, struct svc_req *request)
{
    free(kept);
    kept = strdup(text);
    return NULL;
}

notes_result *notes_1_svc(struct svc_req *request)
{
    static notes_result result;

    result.notes_result_u.value.value_len = kept ? 1 : 0;
    result.notes_result_u.value.value_val = &kept;
    return &result;
}

static int serve(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&here, size) || listen(fd, 16)
        || !svc_register(svctcp_create(fd, 0, 0), BANK_PROG, BANK_VERS, bank_prog_1, 0))
        return 1;
    getsockname(fd, (struct sockaddr *)&here, &size);
    printf("ready %d\n", ntohs(here.sin_port));
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

/* The client */

static int failed(struct fault *why)
{
    printf("%s: %s\n", why->kind, why->message);
    return 0;
}

static int withdrawn(withdraw_result *result)
{
    if (result->outcome == 1)
        return failed(&result->withdraw_result_u.fault);
    if (result->outcome == 2)
        printf("Overdrawn: %s lacks %lld\n", result->withdraw_result_u.raised.owner_,
               (long long)result->withdraw_result_u.raised.missing);
    else
        printf("%lld\n", (long long)result->withdraw_result_u.value);
    return 0;
}

static int balanced(balances_result *result)
{
    for (int place = 0; place < result->balances_result_u.value.balances_value_len; place++)
        printf("%s has %lld\n", result->balances_result_u.value.balances_value_val[place].key,
               (long long)result->balances_result_u.value.balances_value_val[place].value);
    return 0;
}

int main(int count, char **words)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval none = {0, 0};
    int fd = RPC_ANYSOCK;
    notes_result *noted;
    owner_result *rich;
    CLIENT *bank;

    if (count == 2 && !strcmp(words[1], "serve"))
        return serve();
    if (count < 4)
        return 2;
    there.sin_port = htons(atoi(words[2]));
    bank = clnttcp_create(&there, BANK_PROG, BANK_VERS, &fd, 0, 0);
    if (!bank)
        return 1;
    if (!strcmp(words[3], "deposit")) {
        printf("%lld\n", (long long)deposit_1(words[4], atoll(words[5]), bank)
                             ->deposit_result_u.value);
    } else if (!strcmp(words[3], "withdraw")) {
        return withdrawn(withdraw_1(words[4], atoll(words[5]), bank));
    } else if (!strcmp(words[3], "balances")) {
        return balanced(balances_1(bank));
    } else if (!strcmp(words[3], "owner")) {
        rich = owner_1(atof(words[4]), bank);
        puts(rich->owner_result_u.value ? *rich->owner_result_u.value : "nobody");
    } else if (!strcmp(words[3], "note")) {
        clnt_call(bank, note, (xdrproc_t)xdr_wrapstring, (char *)&words[4], (xdrproc_t)xdr_void,
                  NULL, none);
        noted = notes_1(bank);
        printf("%u: %s\n", noted->notes_result_u.value.value_len,
               noted->notes_result_u.value.value_val[0]);
    }
    return 0;
}
