// SPDX-License-Identifier: MIT
//
// Counters of gcov that are in a file all the time.
//
// gcov's own runtime writes its counters at exit(). What this library runs in dies of signals, ends by
// _exit(), goes on by exec, forks, is confined, or has closed every descriptor. So the counters of a
// module (the library, or a test that is linked with the core) lie on pages of their own
// (counters.ld), and before anything else a file is mapped over them, the same for all processes:
// what is counted is there at once, whatever becomes of the process. Nothing is done at its end.
//
// With WSRX_COVERAGE_INTO=DIRECTORY the module writes what the file has as gcov's own .gcda files into
// that directory, and ends the process.

#include <dlfcn.h>
#include <fcntl.h>
#include <gcov.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char counters_begin[] __attribute__((visibility("hidden")));
extern char counters_end[] __attribute__((visibility("hidden")));
extern const struct gcov_info *const infos_begin[] __attribute__((visibility("hidden")));
extern const struct gcov_info *const infos_end[] __attribute__((visibility("hidden")));

// Raw system calls: the module may interpose those of libc, and is not ready yet.
static void *map_file(const char *path, size_t size)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        syscall(SYS_fchmod, fd, 0666);
        if (syscall(SYS_ftruncate, fd, size) == 0) {
            at = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
        syscall(SYS_close, fd);
    }
    return at;
}

static FILE *output;

static void open_output(const char *name, void *directory)
{
    char path[4096];

    // As GCOV_PREFIX names them: the whole path, in that directory.
    snprintf(path, sizeof(path), "%s%s", (const char *)directory, name);
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        syscall(SYS_mkdir, path, 0777);
        *slash = '/';
    }
    output = fopen(path, "w");
    if (output == NULL) {
        perror(path);
        _exit(1);
    }
}

static void write_output(const void *bytes, unsigned length, void *directory)
{
    (void)directory;
    fwrite(bytes, 1, length, output);
}

static void *allocate(unsigned length, void *directory)
{
    (void)directory;
    return malloc(length);
}

static void write_all(char *directory)
{
    for (const struct gcov_info *const *info = infos_begin; info < infos_end; info++) {
        __gcov_info_to_gcda(*info, open_output, write_output, allocate, directory);
        if (fclose(output) != 0) {
            _exit(1);
        }
    }
    _exit(0);
}

// 101: the first that a program may have.
__attribute__((constructor(101))) static void map_counters(void)
{
    size_t size = (size_t)(counters_end - counters_begin);
    char path[8192];
    char file[4096];
    char *into = getenv("WSRX_COVERAGE_INTO");
    const char *name;
    uint64_t *shared;
    Dl_info module;

    if (dladdr(counters_begin, &module) == 0) {
        return;
    }
    name = module.dli_fname;
    if (strstr(name, ".so") == NULL) {
        // A program. It may have been given any name (Criterion's processes have one for all).
        long length = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", file, sizeof(file) - 1);

        file[length > 0 ? length : 0] = '\0';
        name = file;
    }
    name = strrchr(name, '/');
    if (name == NULL) {
        return;
    }
    // One file for all names of the library.
    snprintf(path, sizeof(path), "%s%.*s", WSRX_COVERAGE_COUNTERS, (int)strcspn(name, "."), name);
    shared = map_file(path, size);
    if (shared == MAP_FAILED) {
        return;
    }
    // What has been counted before this.
    for (size_t i = 0; i < size / sizeof(*shared); i++) {
        uint64_t early = ((uint64_t *)(void *)counters_begin)[i];

        if (early > 0) {
            __atomic_fetch_add(&shared[i], early, __ATOMIC_RELAXED);
        }
    }
    syscall(SYS_mremap, shared, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, counters_begin);
    if (into != NULL) {
        write_all(into);
    }
}
