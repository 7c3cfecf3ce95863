#include "base/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

static atomic_bool stopped;
static atomic_int wake_fd = -1; /* an eventfd that becomes readable for good when stopped */
static pthread_once_t wake_once = PTHREAD_ONCE_INIT;

static void make_wake_fd(void)
{
    atomic_store(&wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void stop_request(void)
{
    int saved = errno;
    uint64_t one = 1;
    int fd;

    /* The flag is set before the descriptor is read, and stop_wait_ms makes the descriptor before it reads the flag:
     * one of the two sees the other. */
    atomic_store(&stopped, true);
    fd = atomic_load(&wake_fd);
    if (fd >= 0 && write(fd, &one, sizeof one) < 0) {
        /* The eventfd is full, so it is readable already. */
    }
    errno = saved;
}

bool stop_requested(void)
{
    return atomic_load_explicit(&stopped, memory_order_relaxed);
}

static void on_signal(int signo)
{
    (void)signo;
    stop_request();
}

void stop_on_signals(void)
{
    struct sigaction act;

    pthread_once(&wake_once, make_wake_fd);
    memset(&act, 0, sizeof act);
    sigemptyset(&act.sa_mask);
    act.sa_handler = on_signal;
    sigaction(SIGTERM, &act, NULL);
    act.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &act, NULL);
    act.sa_flags = 0;
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
}

bool stop_wait_ms(int ms)
{
    int64_t end = clock_mono_us() + (int64_t)ms * 1000;

    pthread_once(&wake_once, make_wake_fd);
    while (!atomic_load(&stopped)) {
        int64_t left = end - clock_mono_us();
        struct pollfd p = {.fd = atomic_load(&wake_fd), .events = POLLIN};
        int wait;

        if (left <= 0)
            break;
        wait = (int)((left + 999) / 1000);
        /* Without a descriptor (none left to open) the flag is looked at often instead. */
        if (p.fd < 0 && wait > 20)
            wait = 20;
        poll(&p, 1, wait);
    }
    return stop_requested();
}

void stop_reset(void)
{
    uint64_t count;
    int fd = atomic_load(&wake_fd);

    if (fd >= 0 && read(fd, &count, sizeof count) < 0) {
        /* Nothing was written. */
    }
    atomic_store(&stopped, false);
}
