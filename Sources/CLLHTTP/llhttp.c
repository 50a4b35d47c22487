// llhttp 8.1 is loose unless told: it would take any two bytes for the CRLF after a chunk.
#define LLHTTP_STRICT_MODE 1
#include "/usr/share/llhttp/llhttp.c"
