/* column_type: which Avro type a MySQL column becomes. The one place that decides it: schema_text writes the type down,
 * plan encodes it, so that the two cannot drift apart.
 *
 *  column            native                               debezium (3.5, its defaults)
 *  TINYINT..BIGINT   int, or long from INT UNSIGNED on    the same; connect.type int16 for TINYINT and SMALLINT
 *  BIGINT UNSIGNED   long (above 2^63-1 it stops), or     the same; org.apache.kafka.connect.data.Decimal
 *                    decimal(20,0)
 *  DECIMAL           bytes, decimal                       org.apache.kafka.connect.data.Decimal
 *  FLOAT, DOUBLE     float, double                        the same
 *  BIT(1)            boolean                              the same
 *  BIT(n)            bytes, big-endian as HEX() shows     io.debezium.data.Bits, little-endian
 *  CHAR..TEXT        string                               the same
 *  BINARY..BLOB      bytes, BINARY(n) with its zeros      the same
 *  DATE              int, date                            io.debezium.time.Date
 *  TIME              long, io.debezium.time.MicroTime     the same
 *  DATETIME          long, local-timestamp-micros         io.debezium.time.Timestamp to DATETIME(3), then
 * MicroTimestamp TIMESTAMP         long, timestamp-micros               io.debezium.time.ZonedTimestamp (ISO 8601 text
 * in UTC) YEAR              int                                  io.debezium.time.Year ENUM, SET         string, a SET
 * joined by ','          io.debezium.data.Enum, io.debezium.data.EnumSet JSON              string,
 * io.debezium.data.Json        the same GEOMETRY          bytes: SRID (4, little-endian), WKB
 * io.debezium.data.geometry.Geometry {wkb, srid} VECTOR            array of float io.debezium.data.FloatVector
 *
 * TIME is microseconds without a logical type of Avro's: time-micros is a time of day, and TIME goes from -838:59:59 to
 * 838:59:59. MariaDB's JSON is a LONGTEXT and arrives as a string. The log carries no column defaults, so the schemas
 * have none.
 * Source of the right column: debezium 3.5 BinlogValueConverters, JdbcValueConverters, TemporalPrecisionMode
 * (adaptive_time_microseconds), SchemaFactory. Errors: ERR_UNSUPPORTED. Thread: any. */
#ifndef PILLION_AVRO_COLUMN_TYPE_H
#define PILLION_AVRO_COLUMN_TYPE_H

#include <stdbool.h>

#include "avro/table_codec.h"

enum column_type {
    TYPE_I8,
    TYPE_I16,
    TYPE_I24,
    TYPE_I32,
    TYPE_I64,
    TYPE_U8,
    TYPE_U16,
    TYPE_U24,
    TYPE_U32,
    TYPE_U64_LONG,
    TYPE_U64_DECIMAL,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_DECIMAL,
    TYPE_BOOLEAN,
    TYPE_BITS_BE,
    TYPE_BITS_LE,
    TYPE_TEXT,
    TYPE_BYTES,
    TYPE_BYTES_PADDED,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_DATETIME_MICROS,
    TYPE_DATETIME_MILLIS,
    TYPE_TIMESTAMP_MICROS,
    TYPE_TIMESTAMP_ISO,
    TYPE_YEAR,
    TYPE_ENUM,
    TYPE_SET,
    TYPE_JSON,
    TYPE_GEOMETRY_BYTES,
    TYPE_GEOMETRY_RECORD,
    TYPE_VECTOR
};

/* -1 with err for a column that has no type here. */
int column_type_of(const struct column *column, const struct table_codec_options *options, enum column_type *out,
                   struct err *err);

#endif
