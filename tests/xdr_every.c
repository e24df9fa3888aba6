/* Decodes and encodes again what it is asked to, until its input ends.
 *
 * In: which type, octets, how many of them; out: 1 if it fits, octets, how many. Words as in XDR.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xdr_every.h"

#define ROOM (1 << 20)

static const xdrproc_t types[] = {
	(xdrproc_t)xdr_numbers, (xdrproc_t)xdr_texts, (xdrproc_t)xdr_arrays, (xdrproc_t)xdr_shape,
	(xdrproc_t)xdr_answer, (xdrproc_t)xdr_maybe, (xdrproc_t)xdr_entry, (xdrproc_t)xdr_tree,
	(xdrproc_t)xdr_every,
};

static union {
	numbers a; texts b; arrays c; shape d; answer e; maybe f; entry g; tree h; every i;
} value;

int main(void)
{
	static char in[ROOM], out[ROOM];
	unsigned int head[2];
	while (fread(head, sizeof head, 1, stdin) == 1) {
		unsigned int which = ntohl(head[0]), count = ntohl(head[1]), fits;
		XDR decoder, encoder;
		if (count > ROOM || (count && fread(in, count, 1, stdin) != 1))
			return 1;
		memset(&value, 0, sizeof value);
		xdrmem_create(&decoder, in, count, XDR_DECODE);
		xdrmem_create(&encoder, out, ROOM, XDR_ENCODE);
		fits = types[which](&decoder, &value) && xdr_getpos(&decoder) == count
			&& types[which](&encoder, &value);
		head[0] = htonl(fits);
		head[1] = htonl(fits ? xdr_getpos(&encoder) : 0);
		fwrite(head, sizeof head, 1, stdout);
		fwrite(out, 1, ntohl(head[1]), stdout);
		fflush(stdout);
		xdr_free(types[which], (char *)&value);
	}
	return 0;
}
