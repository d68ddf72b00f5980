/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serve: a server of keys and values and its only client, to time the emulator
 *
 * serve REQUESTS. The server parses requests of text from a socket, nine of ten
 * to get the value of a key and one to set it, looks the key up in a hash table
 * of 128 MiB, and answers; the client waits for each answer and compares it. So
 * it is what a server such as Redis makes a processor do: system calls,
 * switches between processes, parsing, copies of some hundred bytes. Prints one
 * line of JSON; exits with 1 when an answer is wrong.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEYS (1 << 17)
#define VALUE 448
#define MESSAGE 512

struct entry {
    char key[64];
    char value[VALUE];
};

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t hash(const char *key)
{
    uint64_t h = 14695981039346656037u;

    while (*key) {
        h = (h ^ (unsigned char)*key++) * 1099511628211u;
    }
    return h;
}

/* What every value of a key begins with and is filled up with. */
static void make_value(char *value, uint64_t key)
{
    memset(value, 'a' + key % 26, VALUE);
}

/* The entry of a key; a new one if there is none. */
static struct entry *find(struct entry *table, const char *key)
{
    uint64_t at = hash(key) % (2 * KEYS);

    while (table[at].key[0] && strcmp(table[at].key, key)) {
        at = (at + 1) % (2 * KEYS);
    }
    if (!table[at].key[0]) {
        snprintf(table[at].key, sizeof(table[at].key), "%s", key);
    }
    return &table[at];
}

static void serve(int fd)
{
    struct entry *table = calloc(2 * KEYS, sizeof(*table));
    char message[MESSAGE + 1], command[8], key[64];
    ssize_t length;

    if (!table) {
        err(1, "serve: no memory");
    }
    while ((length = recv(fd, message, MESSAGE, 0)) > 0) {
        int begins;

        message[length] = 0;
        if (sscanf(message, "%7s %63s%n", command, key, &begins) != 2) {
            errx(1, "serve: not a request");
        }
        if (strcmp(command, "SET")) {
            length = send(fd, find(table, key)->value, VALUE, 0);
        } else {
            memcpy(find(table, key)->value, message + MESSAGE - VALUE, VALUE);
            length = send(fd, "+OK", 3, 0);
        }
        if (length < 0) {
            err(1, "serve: send");
        }
    }
    exit(0);
}

/* Ask for one thing; the value of a key that was never set is empty. */
static void ask(int fd, uint64_t key, int set)
{
    char message[MESSAGE] = "", answer[MESSAGE], value[VALUE];
    ssize_t length;

    make_value(value, key);
    snprintf(message, MESSAGE - VALUE, "%s user:%llu:session",
             set ? "SET" : "GET", (unsigned long long)key);
    memcpy(message + MESSAGE - VALUE, value, VALUE);
    if (send(fd, message, set ? MESSAGE : strlen(message), 0) < 0) {
        err(1, "serve: send");
    }
    length = recv(fd, answer, MESSAGE, 0);
    if (set ? length != 3
            : length != VALUE || (answer[0] && memcmp(answer, value, VALUE))) {
        errx(1, "serve: a wrong answer about key %llu",
             (unsigned long long)key);
    }
}

int main(int argc, char **argv)
{
    const long requests = argc == 2 ? atol(argv[1]) : 0;
    uint64_t random = 88172645463325252u;
    struct timespec begin, end;
    int fds[2], status;
    double seconds;
    pid_t server;

    if (requests < 1) {
        errx(2, "usage: serve REQUESTS");
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds)) {
        err(1, "serve: socketpair");
    }
    server = fork();
    if (server < 0) {
        err(1, "serve: fork");
    }
    if (!server) {
        close(fds[0]);
        serve(fds[1]);
    }
    close(fds[1]);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long i = 0; i < requests; i++) {
        const uint64_t key = next(&random) % KEYS;

        ask(fds[0], key, i % 10 == 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    close(fds[0]);
    if (waitpid(server, &status, 0) != server || status) {
        errx(1, "serve: the server failed");
    }
    seconds = end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) * 1e-9;
    printf("{\"workload\": \"serve\", \"seconds\": %.6f, \"rate\": %.1f, "
           "\"rate_unit\": \"requests/s\", \"verified\": true}\n",
           seconds, requests / seconds);
    return 0;
}
