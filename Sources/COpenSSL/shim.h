#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift imports neither macros with arguments nor macros that call functions.

static inline int SSL_CTX_limit_versions(SSL_CTX *context, int oldest, int newest) {
    return SSL_CTX_set_min_proto_version(context, oldest) == 1
        && SSL_CTX_set_max_proto_version(context, newest) == 1;
}

static inline void SSL_CTX_release_idle_buffers(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

static inline void SSL_CTX_keep_no_session_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static inline void SSL_CTX_refuse_renegotiation_and_compression(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

static inline int SSL_indicate_server_name(SSL *session, const char *name) {
    return SSL_set_tlsext_host_name(session, name) == 1;
}

static inline void BIO_clear_retry(BIO *bio) {
    BIO_clear_retry_flags(bio);
}

static inline void BIO_ask_to_retry_read(BIO *bio) {
    BIO_set_retry_read(bio);
}

static inline long BIO_pending_bytes(BIO *bio) {
    return BIO_pending(bio);
}

static inline int ERR_is_system_error(unsigned long code) {
    return ERR_SYSTEM_ERROR(code);
}
