#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>

// A file of the project that travels inside the program.
struct embedded_file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

// The file at that place, or NULL after the last.
const struct embedded_file *embedded_file_at(size_t index);

#endif
