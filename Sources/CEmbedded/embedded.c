#include "embedded.h"

// C's #embed compiles in no time; the same bytes as a Swift array literal take half a minute.

static const unsigned char openapi_yaml[] = {
#embed "../../openapi/openapi.yaml"
};
static const unsigned char migration_0001[] = {
#embed "../../Migrations/0001_create_journal.sql"
};
static const unsigned char migration_0002[] = {
#embed "../../Migrations/0002_create_sites.sql"
};
static const unsigned char migration_0003[] = {
#embed "../../Migrations/0003_create_alarms.sql"
};

static const struct embedded_file files[] = {
    {"openapi.yaml", openapi_yaml, sizeof openapi_yaml},
    {"0001_create_journal.sql", migration_0001, sizeof migration_0001},
    {"0002_create_sites.sql", migration_0002, sizeof migration_0002},
    {"0003_create_alarms.sql", migration_0003, sizeof migration_0003},
};

const struct embedded_file *embedded_file_at(size_t index) {
    return index < sizeof files / sizeof *files ? &files[index] : 0;
}
