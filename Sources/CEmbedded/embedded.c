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
static const unsigned char migration_0004[] = {
#embed "../../Migrations/0004_extend_sites.sql"
};
static const unsigned char migration_0005[] = {
#embed "../../Migrations/0005_create_coverage.sql"
};
static const unsigned char migration_0006[] = {
#embed "../../Migrations/0006_extend_alarms.sql"
};
static const unsigned char migration_0007[] = {
#embed "../../Migrations/0007_create_incidents.sql"
};
static const unsigned char migration_0008[] = {
#embed "../../Migrations/0008_create_evidence.sql"
};
static const unsigned char migration_0009[] = {
#embed "../../Migrations/0009_create_access_log.sql"
};
static const unsigned char migration_0010[] = {
#embed "../../Migrations/0010_create_imports.sql"
};
static const unsigned char migration_0011[] = {
#embed "../../Migrations/0011_create_ledger.sql"
};
static const unsigned char migration_0012[] = {
#embed "../../Migrations/0012_create_alarm_ledger.sql"
};
static const unsigned char migration_0013[] = {
#embed "../../Migrations/0013_create_coverage_ledger.sql"
};
static const unsigned char migration_0014[] = {
#embed "../../Migrations/0014_create_reports.sql"
};
static const unsigned char migration_0015[] = {
#embed "../../Migrations/0015_speed_up_coverage.sql"
};
static const unsigned char migration_0016[] = {
#embed "../../Migrations/0016_sum_up_coverage.sql"
};
static const unsigned char migration_0017[] = {
#embed "../../Migrations/0017_create_annunciation_ledger.sql"
};
static const unsigned char migration_0018[] = {
#embed "../../Migrations/0018_refine_evidence.sql"
};
static const unsigned char migration_0019[] = {
#embed "../../Migrations/0019_speed_up_verification.sql"
};
static const unsigned char migration_0020[] = {
#embed "../../Migrations/0020_create_load_ledger.sql"
};
static const unsigned char migration_0021[] = {
#embed "../../Migrations/0021_merge_ledger_runs.sql"
};
static const unsigned char migration_0022[] = {
#embed "../../Migrations/0022_order_ledger_cells.sql"
};
static const unsigned char migration_0023[] = {
#embed "../../Migrations/0023_log_journal_readings.sql"
};
static const unsigned char migration_0024[] = {
#embed "../../Migrations/0024_keep_partitions.sql"
};
static const unsigned char migration_0025[] = {
#embed "../../Migrations/0025_remember_requests.sql"
};
static const unsigned char migration_0026[] = {
#embed "../../Migrations/0026_tell_sites_of_erasures.sql"
};
static const unsigned char migration_0027[] = {
#embed "../../Migrations/0027_rename_observer_position_periods.sql"
};
static const unsigned char migration_0028[] = {
#embed "../../Migrations/0028_mend_alarm_load.sql"
};
static const unsigned char migration_0029[] = {
#embed "../../Migrations/0029_stand_by_first_facts.sql"
};

static const struct embedded_file files[] = {
    {"openapi.yaml", openapi_yaml, sizeof openapi_yaml},
    {"0001_create_journal.sql", migration_0001, sizeof migration_0001},
    {"0002_create_sites.sql", migration_0002, sizeof migration_0002},
    {"0003_create_alarms.sql", migration_0003, sizeof migration_0003},
    {"0004_extend_sites.sql", migration_0004, sizeof migration_0004},
    {"0005_create_coverage.sql", migration_0005, sizeof migration_0005},
    {"0006_extend_alarms.sql", migration_0006, sizeof migration_0006},
    {"0007_create_incidents.sql", migration_0007, sizeof migration_0007},
    {"0008_create_evidence.sql", migration_0008, sizeof migration_0008},
    {"0009_create_access_log.sql", migration_0009, sizeof migration_0009},
    {"0010_create_imports.sql", migration_0010, sizeof migration_0010},
    {"0011_create_ledger.sql", migration_0011, sizeof migration_0011},
    {"0012_create_alarm_ledger.sql", migration_0012, sizeof migration_0012},
    {"0013_create_coverage_ledger.sql", migration_0013, sizeof migration_0013},
    {"0014_create_reports.sql", migration_0014, sizeof migration_0014},
    {"0015_speed_up_coverage.sql", migration_0015, sizeof migration_0015},
    {"0016_sum_up_coverage.sql", migration_0016, sizeof migration_0016},
    {"0017_create_annunciation_ledger.sql", migration_0017, sizeof migration_0017},
    {"0018_refine_evidence.sql", migration_0018, sizeof migration_0018},
    {"0019_speed_up_verification.sql", migration_0019, sizeof migration_0019},
    {"0020_create_load_ledger.sql", migration_0020, sizeof migration_0020},
    {"0021_merge_ledger_runs.sql", migration_0021, sizeof migration_0021},
    {"0022_order_ledger_cells.sql", migration_0022, sizeof migration_0022},
    {"0023_log_journal_readings.sql", migration_0023, sizeof migration_0023},
    {"0024_keep_partitions.sql", migration_0024, sizeof migration_0024},
    {"0025_remember_requests.sql", migration_0025, sizeof migration_0025},
    {"0026_tell_sites_of_erasures.sql", migration_0026, sizeof migration_0026},
    {"0027_rename_observer_position_periods.sql", migration_0027, sizeof migration_0027},
    {"0028_mend_alarm_load.sql", migration_0028, sizeof migration_0028},
    {"0029_stand_by_first_facts.sql", migration_0029, sizeof migration_0029},
};

const struct embedded_file *embedded_file_at(size_t index) {
    return index < sizeof files / sizeof *files ? &files[index] : 0;
}
