/* The calculator as a C library: cc -shared -fPIC -o libcalculator.so calculator.c */
#include <errno.h>
#include <stddef.h>

struct summary { long long count; double mean; double largest; };

long long add(long long x, long long y)
{
    return x + y;
}

double divide(double x, double y)
{
    if (y == 0) errno = EDOM;
    return x / y;
}

struct summary summarize(const double *numbers, size_t count)
{
    struct summary summary = { count, 0, count ? numbers[0] : 0 };
    for (size_t i = 0; i < count; i++) {
        summary.mean += numbers[i] / count;
        if (numbers[i] > summary.largest) summary.largest = numbers[i];
    }
    return summary;
}

double mean(const double *numbers, size_t count)
{
    return summarize(numbers, count).mean;
}
