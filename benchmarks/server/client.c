/* A closed-loop client: each connection sends its next request when it has the answer to the last.
 *
 * client SECONDS WORD FILE PORT... (one PORT for each connection, on 127.0.0.1)
 *
 * FILE holds whole HTTP requests, each after its length in four bytes, lowest first. They are read
 * before anything is sent. The client prints "ready", waits for a line, and prints one JSON object
 * at the end. An answer counts if its status is 200 and WORD is in it. The client does nothing else
 * with it, and sleeps while it waits, so that it takes little of the processor's time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_ANSWER 16384
#define MOST_CONNECTIONS 1024

typedef struct {
    int fd;
    double began;
    size_t have;
    char answer[MOST_ANSWER + 1];
} connection;

static connection connections[MOST_CONNECTIONS];
static const unsigned char *next_request, *end_of_requests;
static double *waits;
static long answered, refused;
static char first_refusal[200];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double own_cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static uint32_t length_of(const unsigned char *p) {
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static long read_requests(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file) fail(name);
    fseek(file, 0, SEEK_END);
    long size = ftell(file), count = 0;
    rewind(file);
    unsigned char *all = malloc(size);
    if (!all || fread(all, 1, size, file) != (size_t)size) fail(name);
    fclose(file);
    next_request = all;
    end_of_requests = all + size;
    for (const unsigned char *p = all; p < end_of_requests; p += 4 + length_of(p)) count++;
    return count;
}

static void open_connection(connection *c, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Requests are smaller than the socket's buffer, so that writing never waits for long. */
static int send_next(connection *c) {
    if (next_request >= end_of_requests) return 0;
    uint32_t length = length_of(next_request);
    const unsigned char *request = next_request + 4;
    next_request = request + length;
    c->have = 0;
    c->began = now();
    for (uint32_t sent = 0; sent < length;) {
        ssize_t n = write(c->fd, request + sent, length - sent);
        if (n < 0) fail("write");
        sent += n;
    }
    return 1;
}

static int is_whole(const connection *c) {
    const char *end = strstr(c->answer, "\r\n\r\n"), *field = strcasestr(c->answer, "content-length:");
    if (!end || !field || field > end) return 0;
    return c->have >= (size_t)(end + 4 - c->answer) + strtoul(field + 15, NULL, 10);
}

static void count(const connection *c, const char *word) {
    if (!strncmp(c->answer + 8, " 200 ", 5) && strstr(c->answer, word)) {
        waits[answered++] = now() - c->began;
        return;
    }
    if (!refused++) {
        const char *body = strstr(c->answer, "\r\n\r\n");
        snprintf(first_refusal, sizeof first_refusal, "%.12s %.80s", c->answer, body ? body + 4 : "");
        for (char *p = first_refusal; *p; p++)
            if (*p < ' ' || *p == '"' || *p == '\\') *p = '\'';
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double quantile(double q) {
    return answered ? waits[(long)(q * (answered - 1))] * 1e3 : 0;
}

int main(int argc, char **argv) {
    if (argc < 5 || argc - 4 > MOST_CONNECTIONS) return 2;
    double seconds = atof(argv[1]);
    const char *word = argv[2];
    int number = argc - 4, waiting = 0, poll = epoll_create1(0);
    waits = malloc(sizeof *waits * (read_requests(argv[3]) + 1));
    for (int i = 0; i < number; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        open_connection(&connections[i], atoi(argv[4 + i]));
        if (epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].fd, &event)) fail("epoll_ctl");
    }
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    double began = now(), cpu = own_cpu();
    for (int i = 0; i < number; i++) waiting += send_next(&connections[i]);
    while (waiting) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, 30000);
        if (ready <= 0) fail("no answer for 30 seconds");
        for (int i = 0; i < ready; i++) {
            connection *c = events[i].data.ptr;
            ssize_t n = read(c->fd, c->answer + c->have, MOST_ANSWER - c->have);
            if (n <= 0) fail("read");
            c->have += n;
            c->answer[c->have] = 0;
            if (!is_whole(c)) continue;
            count(c, word);
            if (now() - began >= seconds || !send_next(c)) waiting--;
        }
    }
    double took = now() - began;
    cpu = own_cpu() - cpu;
    qsort(waits, answered, sizeof *waits, by_size);
    printf("{\"answered\": %ld, \"refused\": %ld, \"seconds\": %.6f, \"client_cpu_ms\": %.4f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"first_refusal\": \"%s\"}\n",
           answered, refused, took, answered ? cpu / answered * 1e3 : 0, quantile(.5), quantile(.99),
           quantile(1), first_refusal);
    return 0;
}
