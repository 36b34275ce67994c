/* Preloaded into a server, so that its wall clock stands off by as many microseconds as the file in
 * SHIFTED_CLOCK_FILE says (eight bytes, as the machine orders them), from one reading to the next. Its monotonic clock
 * is left alone, as it is where somebody sets a machine's time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_us;

__attribute__((constructor)) static void open_offset(void) {
  const char *path = getenv("SHIFTED_CLOCK_FILE");
  int file = path ? open(path, O_RDONLY) : -1;
  if (file < 0) _exit(125);
  void *at = mmap(NULL, sizeof *offset_us, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (at == MAP_FAILED) _exit(125);
  offset_us = at;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (failed || !offset_us || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
  int64_t us = *offset_us + (int64_t)now->tv_sec * 1000000 + now->tv_nsec / 1000;
  now->tv_sec = us / 1000000;
  now->tv_nsec = us % 1000000 * 1000;
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec at;
  if (clock_gettime(CLOCK_REALTIME, &at)) return -1;
  now->tv_sec = at.tv_sec;
  now->tv_usec = at.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec at;
  if (clock_gettime(CLOCK_REALTIME, &at)) return -1;
  if (into) *into = at.tv_sec;
  return at.tv_sec;
}
