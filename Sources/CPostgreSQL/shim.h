#include <libpq-fe.h>

/* OpenSSL's SSL_pending under a name of its own: how many decrypted bytes wait inside the TLS
   session that PQsslStruct returns. They make no socket readable, and libpq 15 may leave some. */
int pending_tls_bytes(const void *ssl) __asm__("SSL_pending");
