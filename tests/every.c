/* The library of test_ctypes_own.py: a function for each thing that a contract can say. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SAME(name, type) type same_##name(type value) { return value; }
SAME(bool, bool)
SAME(int8, int8_t) SAME(int16, int16_t) SAME(int32, int32_t) SAME(int64, int64_t)
SAME(uint8, uint8_t) SAME(uint16, uint16_t) SAME(uint32, uint32_t) SAME(uint64, uint64_t)
SAME(char, char) SAME(short, short) SAME(int, int) SAME(long, long) SAME(long_long, long long)
SAME(size, size_t)
SAME(float, float) SAME(double, double)
SAME(text, const char *) SAME(octets, const char *) SAME(handle, void *)

enum color { RED, GREEN = 7 };
SAME(color, enum color)

struct point { int8_t x; double y; };
struct shape {
    struct point corner;
    int32_t sides[3];
    struct point path[2];
    char name[8];
    uint8_t code[4];
    const char *label;
    uint16_t flags;
    bool closed;
};
SAME(point, struct point) SAME(shape, struct shape)

struct node { int32_t value; struct node *next; };
int32_t sum_nodes(const struct node *node) { return node ? node->value + sum_nodes(node->next) : 0; }
static struct node ring = { 1, &ring };
const struct node *endless(void) { return &ring; }
const struct shape *find_shape(bool there)
{
    static const struct shape found = { { 1, 2 }, { 3, 4, 5 }, { { 6, 7 }, { 8, 9 } }, "seven", { 1, 0, 2, 3 }, "label", 65535, true };
    return there ? &found : NULL;
}

double sum(const double *values, size_t count)
{
    double total = 0;
    while (count--) total += *values++;
    return total;
}
int32_t total_of(const int32_t *values) { return values[0] + values[1] + values[2]; }
size_t octets_in(const char *const *texts, size_t count)
{
    size_t total = 0;
    while (count--) total += strlen(*texts++);
    return total;
}
double sum_of_points(const struct point *points, uint32_t count)
{
    double total = 0;
    for (; count--; points++) total += points->x * points->y;
    return total;
}
void double_each(int16_t *values, size_t count) { while (count--) *values++ *= 2; }
void shout(char *text) { for (; *text; text++) if (*text >= 'a' && *text <= 'z') *text -= 32; }
void reverse(uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) { uint8_t c = data[i]; data[i] = data[count - 1 - i]; data[count - 1 - i] = c; }
}
void squares(int32_t *room, int32_t count) { for (int32_t i = 0; i < count; i++) room[i] = i * i; }
int32_t divide(int32_t x, int32_t y, int32_t *quotient, int32_t *rest)
{
    if (!y) { errno = EDOM; return -1; }
    *quotient = x / y; *rest = x % y;
    return 0;
}
void move(struct point *point, double by) { point->y += by; }
int32_t fails_with(int32_t code) { return code; }
int32_t fails_silently(void) { return -1; }
bool is_null(const void *pointer) { return !pointer; }
const char *nothing(void) { return NULL; }
const char *broken_text(void) { return "\xff"; }
int32_t undefined_color(void) { return 3; }

double apply(double (*function)(double, int32_t), double x, int32_t n) { return function(x, n); }
int32_t call_three_times(void (*function)(void)) { for (int i = 0; i < 3; i++) function(); return 3; }
int32_t tell(int32_t (*hear)(const char *, const struct point *, struct point)) {
    struct point point = { 1, 2 }, other = { 3, 4 };
    errno = 0;
    return hear("told", &point, other);
}
int32_t call_or_not(int32_t (*function)(void)) { return function ? function() : -1; }

static int owned;
char *made(const char *text) { owned++; return strdup(text); }
void unmade(void *text) { owned--; free(text); }
int32_t still_owned(void) { return owned; }
void crash(void) { *(volatile int *)8 = 1; }
long long add(long long x, long long y) { return x + y; }
