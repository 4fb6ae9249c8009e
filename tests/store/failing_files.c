// Preloaded into a process, makes one of its calls on files below a folder fail, or that and all
// after it. `failing_arm` says which and how, `failing_calls` how many there were since.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static char root[PATH_MAX];
static atomic_long calls, target;
static atomic_int error_number, lasts;
static char last_name[64];

void failing_arm(const char* folder, long nth, int error, int from_then_on) {
  target = 0;
  calls = 0;
  strncpy(root, folder, sizeof root - 1);
  error_number = error;
  lasts = from_then_on;
  target = nth;
}
long failing_calls(void) { return calls; }
const char* failing_name(void) { return last_name; }
void failing_disarm(void) { target = 0; }

static int is_below(const char* path) {
  return strncmp(path, root, strlen(root)) == 0;
}
static int is_open_below(int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const long size = syscall(SYS_readlink, link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return is_below(path);
}
static int fails(const char* name, int is_meant) {
  if (target == 0 || !is_meant) return 0;
  const long call = ++calls;
  if (call != target && !(lasts && call > target)) return 0;
  if (call == target) strncpy(last_name, name, sizeof last_name - 1);
  errno = error_number;
  return 1;
}
static int names_file(int folder, const char* path) {
  if (target == 0) return 0;
  return path[0] == '/' ? is_below(path) : folder != AT_FDCWD && is_open_below(folder);
}
static int is_meant(int descriptor) {
  return target != 0 && is_open_below(descriptor);
}

#define REAL(name) ((__typeof__(name)*)dlsym(RTLD_NEXT, #name))
#define BY_PATH(type, name, folder, path, parameters, arguments)                \
  type name parameters {                                                        \
    if (fails(#name, names_file(folder, path))) return -1;                      \
    return REAL(name) arguments;                                                \
  }
#define BY_DESCRIPTOR(type, name, descriptor, parameters, arguments)            \
  type name parameters {                                                        \
    if (fails(#name, is_meant(descriptor))) return -1;                          \
    return REAL(name) arguments;                                                \
  }
#define OPENING(name, folder, parameters, arguments)                            \
  int name parameters {                                                         \
    va_list more;                                                               \
    va_start(more, flags);                                                      \
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                               \
    if (fails(#name, names_file(folder, path))) return -1;                      \
    return REAL(name) arguments;                                                \
  }

OPENING(open, AT_FDCWD, (const char* path, int flags, ...), (path, flags, mode))
OPENING(open64, AT_FDCWD, (const char* path, int flags, ...), (path, flags, mode))
OPENING(openat, dir, (int dir, const char* path, int flags, ...), (dir, path, flags, mode))
OPENING(openat64, dir, (int dir, const char* path, int flags, ...), (dir, path, flags, mode))

BY_PATH(int, mkdir, AT_FDCWD, path, (const char* path, mode_t mode), (path, mode))
BY_PATH(int, mkdirat, dir, path, (int dir, const char* path, mode_t mode), (dir, path, mode))
BY_PATH(int, unlink, AT_FDCWD, path, (const char* path), (path))
BY_PATH(int, unlinkat, dir, path, (int dir, const char* path, int flags), (dir, path, flags))
BY_PATH(int, rmdir, AT_FDCWD, path, (const char* path), (path))
BY_PATH(int, rename, AT_FDCWD, from, (const char* from, const char* to), (from, to))
BY_PATH(int, renameat, dir, from, (int dir, const char* from, int other, const char* to),
        (dir, from, other, to))
BY_PATH(int, link, AT_FDCWD, to, (const char* from, const char* to), (from, to))
BY_PATH(int, linkat, other, to,
        (int dir, const char* from, int other, const char* to, int flags),
        (dir, from, other, to, flags))
BY_PATH(int, truncate64, AT_FDCWD, path, (const char* path, off64_t size), (path, size))
BY_PATH(int, stat, AT_FDCWD, path, (const char* path, struct stat* info), (path, info))
BY_PATH(int, lstat, AT_FDCWD, path, (const char* path, struct stat* info), (path, info))
BY_PATH(int, stat64, AT_FDCWD, path, (const char* path, struct stat64* info), (path, info))
BY_PATH(int, lstat64, AT_FDCWD, path, (const char* path, struct stat64* info), (path, info))
BY_PATH(int, fstatat, dir, path, (int dir, const char* path, struct stat* info, int flags),
        (dir, path, info, flags))
BY_PATH(int, fstatat64, dir, path, (int dir, const char* path, struct stat64* info, int flags),
        (dir, path, info, flags))
BY_PATH(int, statvfs64, AT_FDCWD, path, (const char* path, struct statvfs64* info), (path, info))
BY_PATH(int, statvfs, AT_FDCWD, path, (const char* path, struct statvfs* info), (path, info))
BY_PATH(ssize_t, readlink, AT_FDCWD, path, (const char* path, char* to, size_t size),
        (path, to, size))
BY_PATH(ssize_t, readlinkat, dir, path, (int dir, const char* path, char* to, size_t size),
        (dir, path, to, size))

BY_DESCRIPTOR(ssize_t, read, file, (int file, void* to, size_t size), (file, to, size))
BY_DESCRIPTOR(ssize_t, write, file, (int file, const void* from, size_t size), (file, from, size))
BY_DESCRIPTOR(ssize_t, pread64, file, (int file, void* to, size_t size, off64_t at),
              (file, to, size, at))
BY_DESCRIPTOR(ssize_t, pwrite64, file, (int file, const void* from, size_t size, off64_t at),
              (file, from, size, at))
BY_DESCRIPTOR(off64_t, lseek64, file, (int file, off64_t at, int whence), (file, at, whence))
BY_DESCRIPTOR(int, fsync, file, (int file), (file))
BY_DESCRIPTOR(int, ftruncate64, file, (int file, off64_t size), (file, size))
BY_DESCRIPTOR(int, fstat, file, (int file, struct stat* info), (file, info))
BY_DESCRIPTOR(int, fstat64, file, (int file, struct stat64* info), (file, info))
BY_DESCRIPTOR(int, flock, file, (int file, int kind), (file, kind))
BY_DESCRIPTOR(int, futimens, file, (int file, const struct timespec* times), (file, times))

int close(int file) {
  const int failed = fails("close", is_meant(file));
  const int result = (int)syscall(SYS_close, file);
  if (!failed) return result;
  errno = error_number;
  return -1;
}

DIR* opendir(const char* path) {
  return fails("opendir", names_file(AT_FDCWD, path)) ? NULL : REAL(opendir)(path);
}
DIR* fdopendir(int file) { return fails("fdopendir", is_meant(file)) ? NULL : REAL(fdopendir)(file); }
struct dirent64* readdir64(DIR* folder) {
  return fails("readdir", is_meant(dirfd(folder))) ? NULL : REAL(readdir64)(folder);
}
