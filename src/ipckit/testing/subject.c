/* The peer of the suite as a C library: the contracts of echoes.py and subjects.py, as far as C can
   say them. cc -shared -fPIC -pthread -o libsubject.so subject.c */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct point { long long x; double y; };

#define SAME(name, type) type name(type value) { return value; }

/* Scalars, Widths, LongWidths, LongestWidth, Enumerations, Records */
SAME(boolean, bool) SAME(integer, long long) SAME(number, double) SAME(text, const char *)
SAME(int8, int8_t) SAME(int16, int16_t) SAME(int32, int32_t) SAME(int64, int64_t)
SAME(uint8, uint8_t) SAME(uint16, uint16_t) SAME(uint32, uint32_t) SAME(uint64, uint64_t)
SAME(float32, float)
SAME(colour, const char *) SAME(level, int)
SAME(point, struct point)

void nothing(void) {}

char *repeated(const char *text, long long count)
{
    size_t length = strlen(text);
    char *whole = malloc(length * count + 1);
    if (!whole) return NULL;
    for (long long i = 0; i < count; i++) memcpy(whole + i * length, text, length);
    whole[length * count] = 0;
    return whole;
}

/* What is changed where it lies is turned round twice, so that C has been everywhere in it. */
static void turn(char *items, size_t count, size_t size)
{
    for (size_t i = 0; i < count / 2; i++)
        for (size_t j = 0; j < size; j++) {
            char *one = items + i * size + j, *other = items + (count - 1 - i) * size + j;
            char kept = *one;
            *one = *other;
            *other = kept;
        }
}

void points(struct point *values, size_t count)
{
    turn((char *)values, count, sizeof *values);
    turn((char *)values, count, sizeof *values);
}

/* Octets */
void octets(char *value, size_t count)
{
    turn(value, count, 1);
    turn(value, count, 1);
}

void zeros(char *room, long long count)
{
    memset(room, 0, count);
}

/* Keywords: four texts in one piece, to be freed as one. */
char **describe(const char *name, long long count, const char *unit, double scale)
{
    size_t size = 4 * sizeof(char *) + strlen(name) + strlen(unit) + 100;
    char **words = malloc(size);
    if (!words) return NULL;
    char *place = (char *)(words + 4);
    words[0] = place;
    place += sprintf(place, "%s", name) + 1;
    words[1] = place;
    place += sprintf(place, "%lld", count) + 1;
    words[2] = place;
    place += sprintf(place, "%s", unit) + 1;
    words[3] = place;
    sprintf(place, "%.17g", scale);
    return words;
}

/* Attributes */
static char the_unit[100] = "mm";

const char *get_unit(void) { return the_unit; }
void set_unit(const char *value) { snprintf(the_unit, sizeof the_unit, "%s", value); }
long long get_serial(void) { return 4711; }

/* Callbacks */
long long apply(long long (*function)(long long), long long value)
{
    return function(value);
}

/* Counting */
struct tally { struct tally *next; long long count; char token[]; };
static struct tally *tallies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long long add(const char *token, int more)
{
    pthread_mutex_lock(&lock);
    struct tally *tally = tallies;
    while (tally && strcmp(tally->token, token)) tally = tally->next;
    if (!tally && (tally = malloc(sizeof *tally + strlen(token) + 1))) {
        strcpy(tally->token, token);
        tally->count = 0;
        tally->next = tallies;
        tallies = tally;
    }
    long long count = tally ? tally->count += more : -1;
    pthread_mutex_unlock(&lock);
    return count;
}

static void rest(double seconds)
{
    struct timespec left = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };
    while (nanosleep(&left, &left) && errno == EINTR) {}
}

long long run(const char *token) { return add(token, 1); }
long long runs(const char *token) { return add(token, 0); }

long long guarded(const char *token, long long value, struct point point)
{
    add(token, 1);
    return value + point.x;
}

const char *slow(const char *token, double seconds)
{
    add(token, 1);
    rest(seconds);
    return token;
}

const char *hold(const char *token, const char *path)
{
    char *waiting;
    add(token, 1);
    if (asprintf(&waiting, "%s.waiting", path) < 0) return NULL;
    FILE *file = fopen(waiting, "w");
    if (file) fclose(file);
    free(waiting);
    for (int i = 0; i < 2000 && access(path, F_OK); i++) rest(0.005);
    return token;
}

int mark(const char *path)
{
    FILE *file = fopen(path, "a");
    if (!file) return -1;
    int written = fputc('x', file);
    return fclose(file) || written < 0 ? -1 : 0;
}

const char *interrupt(long long process, double seconds)
{
    rest(0.05);
    kill(process, SIGINT);
    rest(seconds);
    return "late";
}
