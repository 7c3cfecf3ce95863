#include "mysql/server_error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "binlog/charset.h"

struct known {
    unsigned number;
    const char *words; /* in the text, any case; NULL: any text */
    enum err_code code;
    const char *remedy;
};

/* The first row that fits wins. */
static const struct known table[] = {
    /* Replication stream: everything is 1236, the words tell. */
    {1236, "same server_uuid", ERR_MYSQL_SERVER_ID,
     "stop the other replica, or give this one its own server id (source.server_id) and capture name"},
    {1236, "same server_id", ERR_MYSQL_SERVER_ID,
     "stop the other replica, or give this one its own server id (source.server_id) and capture name"},
    {1236, "same server id", ERR_MYSQL_SERVER_ID,
     "stop the other replica, or give this one its own server id (source.server_id) and capture name"},
    {1236, "has more gtid", ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1236, "not in the master's binlog", ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1236, "diverged", ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1236, "impossible position", ERR_POSITION_FOREIGN,
     "the log is shorter than the position: the server lost or reset its logs; set a new position and backfill"},
    {1236, "purged", ERR_POSITION_PURGED,
     "point Pillion at a server that still has these logs, or start from the earliest log and backfill; keep logs for "
     "longer"},
    {1236, "could not find first log", ERR_POSITION_PURGED,
     "point Pillion at a server that still has these logs, or start from the earliest log and backfill; keep logs for "
     "longer"},
    {1236, "could not find gtid state", ERR_POSITION_PURGED,
     "point Pillion at a server that still has these logs, or start from the earliest log and backfill; keep logs for "
     "longer"},
    {1236, "anonymous", ERR_MYSQL_SETTING,
     "the logs hold transactions without GTID: start by file and offset, or after the first log with GTIDs"},
    {1236, "gtid_mode", ERR_MYSQL_SETTING, "turn GTIDs on (gtid_mode=ON), or start by file and offset"},
    {1236, "not open", ERR_MYSQL_SETTING, "start the server with log_bin"},
    {1236, "server_id was not set", ERR_MYSQL_SETTING, "set server_id to a number above 0 on the source server"},
    {1236, "server id was not set", ERR_MYSQL_SETTING, "set server_id to a number above 0 on the source server"},
    {1236, "max_allowed_packet", ERR_MYSQL_SETTING,
     "check that the position is the start of an event, then raise max_allowed_packet on the source server"},
    {1236, "bogus data", ERR_POSITION_FOREIGN,
     "the position is not the start of an event in that file: set a position that SHOW BINLOG EVENTS lists"},
    {1236, "checksum", ERR_CHECKSUM,
     "the log is damaged on the server's disk: check it with the vendor's binlog tool, then set a position after the "
     "damage and backfill"},
    {1236, NULL, ERR_MYSQL_QUERY, "see the source server's error log"},
    {4052, NULL, ERR_MYSQL_SERVER_ID,
     "stop the other replica, or give this one its own server id (source.server_id) and capture name"},
    {1945, NULL, ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1951, NULL, ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1955, NULL, ERR_POSITION_FOREIGN,
     "point Pillion at the server that has the whole history, or set a new position and backfill"},
    {1789, NULL, ERR_POSITION_PURGED,
     "point Pillion at a server that still has these logs, or start from the earliest log and backfill; keep logs for "
     "longer"},
    {1373, NULL, ERR_POSITION_PURGED, "the log file is not there any more: start from the earliest log and backfill"},
    {1381, NULL, ERR_MYSQL_SETTING, "start the server with log_bin"},
    /* Login. */
    {1045, NULL, ERR_MYSQL_AUTH,
     "check source.user and source.password, that the account may come from this host, and source.tls.mode if it "
     "requires TLS"},
    {1698, NULL, ERR_MYSQL_AUTH, "this account does not log in by password; use one that does"},
    {1130, NULL, ERR_MYSQL_AUTH, "create the account for this host: CREATE USER ...@'%'"},
    {1129, NULL, ERR_MYSQL_AUTH,
     "run FLUSH HOSTS (or TRUNCATE TABLE performance_schema.host_cache) on the source server"},
    {1820, NULL, ERR_MYSQL_AUTH, "set a new password with ALTER USER"},
    {1862, NULL, ERR_MYSQL_AUTH, "set a new password with ALTER USER"},
    {3118, NULL, ERR_MYSQL_AUTH, "unlock it with ALTER USER ... ACCOUNT UNLOCK"},
    {4151, NULL, ERR_MYSQL_AUTH, "unlock it with ALTER USER ... ACCOUNT UNLOCK"},
    {3159, NULL, ERR_MYSQL_AUTH, "set source.tls.mode to required or higher"},
    {1251, NULL, ERR_MYSQL_AUTH, "the client library is too old for the account's authentication plugin; update it"},
    {1040, NULL, ERR_MYSQL_CONNECT, "raise max_connections or close other sessions"},
    {1203, NULL, ERR_MYSQL_CONNECT, "raise max_user_connections or close other sessions"},
    {1226, NULL, ERR_MYSQL_CONNECT, "raise the account's resource limits"},
    {1053, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    {1152, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    {1158, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    {1159, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    {1317, NULL, ERR_MYSQL_CONNECT, "somebody killed the statement or session; Pillion connects again by itself"},
    {1927, NULL, ERR_MYSQL_CONNECT, "somebody killed the session; Pillion connects again by itself"},
    {4031, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    /* Rights. */
    {1227, "replication slave admin", ERR_MYSQL_GRANT, "run GRANT REPLICATION SLAVE ADMIN ON *.* TO that user"},
    {1227, "replication master admin", ERR_MYSQL_GRANT, "run GRANT REPLICATION MASTER ADMIN ON *.* TO that user"},
    {1227, "replication slave", ERR_MYSQL_GRANT, "run GRANT REPLICATION SLAVE ON *.* TO that user"},
    {1227, "binlog monitor", ERR_MYSQL_GRANT, "run GRANT BINLOG MONITOR ON *.* TO that user"},
    {1227, "replication client", ERR_MYSQL_GRANT, "run GRANT REPLICATION CLIENT ON *.* TO that user"},
    {1227, NULL, ERR_MYSQL_GRANT, "run GRANT with the privilege named here ON *.* TO that user"},
    {1044, NULL, ERR_MYSQL_GRANT, "run GRANT SELECT ON that database TO that user"},
    {1142, NULL, ERR_MYSQL_GRANT, "run GRANT SELECT ON that table TO that user"},
    {1143, NULL, ERR_MYSQL_GRANT, "run GRANT SELECT ON that table TO that user"},
    {1370, NULL, ERR_MYSQL_GRANT, "run GRANT EXECUTE ON that routine TO that user"},
    /* The client library's own. */
    {2005, NULL, ERR_MYSQL_CONNECT, "check source.host and the name service"},
    {2002, NULL, ERR_MYSQL_CONNECT,
     "check source.host, source.port or source.socket, that the server runs and listens there, and firewalls"},
    {2003, NULL, ERR_MYSQL_CONNECT,
     "check source.host, source.port or source.socket, that the server runs and listens there, and firewalls"},
    {2004, NULL, ERR_MYSQL_CONNECT, "the system gave no socket; Pillion tries again by itself"},
    {2006, NULL, ERR_MYSQL_CONNECT, "Pillion connects again by itself"},
    {2013, NULL, ERR_MYSQL_CONNECT,
     "check that a MySQL or MariaDB server answers at this address within the timeout; Pillion tries again by itself"},
    {2012, NULL, ERR_MYSQL_CONNECT, "check that a MySQL or MariaDB server answers at this address"},
    {2007, NULL, ERR_MYSQL_CONNECT, "check that a MySQL or MariaDB server answers at this address"},
    {2027, NULL, ERR_MYSQL_CONNECT,
     "what answers there does not speak MySQL's protocol as it should: check the address"},
    {2020, NULL, ERR_MYSQL_CONNECT,
     "what answers there does not speak MySQL's protocol as it should: check the address"},
    {2026, "not support", ERR_MYSQL_AUTH,
     "the server has no TLS: give it a certificate, or set source.tls.mode to off where the network is trusted"},
    {2026, "self", ERR_MYSQL_AUTH,
     "name the authority that signed the server's certificate in source.tls.ca, or set source.tls.mode to required to "
     "encrypt without knowing the server"},
    {2026, "unable to get", ERR_MYSQL_AUTH,
     "name the authority that signed the server's certificate in source.tls.ca, or set source.tls.mode to required to "
     "encrypt without knowing the server"},
    {2026, "certificate verify failed", ERR_MYSQL_AUTH,
     "name the authority that signed the server's certificate in source.tls.ca, or set source.tls.mode to required to "
     "encrypt without knowing the server"},
    {2026, "hostname", ERR_MYSQL_AUTH,
     "use the host name that is in the server's certificate, or set source.tls.mode to verify-ca"},
    {2026, "validation of ssl server certificate failed", ERR_MYSQL_AUTH,
     "use the host name that is in the server's certificate and the authority that signed it (source.tls.ca), or set "
     "source.tls.mode to verify-ca"},
    {2026, "verification", ERR_MYSQL_AUTH,
     "use the host name that is in the server's certificate and the authority that signed it (source.tls.ca), or set "
     "source.tls.mode to verify-ca"},
    {2026, "expired", ERR_MYSQL_AUTH, "renew the server's certificate"},
    {2026, "ca certificate", ERR_MYSQL_AUTH,
     "name the authority that signed the server's certificate in source.tls.ca"},
    {2026, NULL, ERR_MYSQL_AUTH,
     "check source.tls.mode, source.tls.ca, source.tls.cert and source.tls.key against the server's certificate"},
    {2061, "secure connection", ERR_MYSQL_AUTH,
     "this account needs TLS to log in the first time: set source.tls.mode to required or higher"},
    {2061, NULL, ERR_MYSQL_AUTH,
     "check the account's authentication plugin; caching_sha2_password or mysql_native_password work"},
    {2058, NULL, ERR_MYSQL_AUTH,
     "the account's authentication plugin is not allowed without verified TLS, or not installed: use "
     "caching_sha2_password, or set source.tls.mode to verify-identity"},
    {2059, "mysql_native_password", ERR_MYSQL_AUTH,
     "install the client's plugins for it (in Debian the package mysql-client-core), or use an account with "
     "caching_sha2_password"},
    {2059, NULL, ERR_MYSQL_AUTH,
     "the account's authentication plugin is not allowed without verified TLS, or not installed: use "
     "caching_sha2_password, or set source.tls.mode to verify-identity"},
    {5010, NULL, ERR_MYSQL_AUTH,
     "the account's authentication plugin sends the password in clear text, which is allowed to a verified server "
     "only: use caching_sha2_password, or set source.tls.mode to verify-identity"},
    {2054, NULL, ERR_MYSQL_AUTH, "use an account with caching_sha2_password or mysql_native_password"},
    {2068, NULL, ERR_MYSQL_CONNECT,
     "the server asked for a file of this machine, which no honest server does: check what answers at this address"},
    {2000, "local infile", ERR_MYSQL_CONNECT,
     "the server asked for a file of this machine, which no honest server does: check what answers at this address"},
};

/* A rogue server's text, or a library's bug, must not reach a terminal or a JSON log as it is. */
static void make_plain(char *s)
{
    bool utf8 = utf8_valid((const uint8_t *)s, strlen(s)) == strlen(s);

    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f || (!utf8 && (unsigned char)*s >= 0x80))
            *s = '?';
}

int server_error_set(struct err *err, unsigned number, const char *text, const char *doing)
{
    const struct known *k = NULL;
    size_t len;
    char told[400];

    if (!text || !*text)
        text = "no reason was given";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].number == number && (!table[i].words || strcasestr(text, table[i].words))) {
            k = &table[i];
            break;
        }
    snprintf(told, sizeof told, "%s", text);
    make_plain(told);
    len = strlen(told);
    while (len && (told[len - 1] == '.' || told[len - 1] == ' ' || told[len - 1] == '\n'))
        told[--len] = 0;
    if (k)
        return err_set(err, k->code, "Could not %s: %s (error %u); %s.", doing, told, number, k->remedy);
    return err_set(err, number >= 2000 && number < 3000 ? ERR_MYSQL_CONNECT : ERR_MYSQL_QUERY,
                   "Could not %s: %s (error %u); see the vendor's error reference and the source server's error log.",
                   doing, told, number);
}
