#include "avro/column_type.h"

static int integer_type(const struct column *column, enum unsigned_mode mode, enum column_type *out)
{
    switch (column->width) {
    case 1:
        *out = column->is_unsigned ? TYPE_U8 : TYPE_I8;
        return 0;
    case 2:
        *out = column->is_unsigned ? TYPE_U16 : TYPE_I16;
        return 0;
    case 3:
        *out = column->is_unsigned ? TYPE_U24 : TYPE_I24;
        return 0;
    case 4:
        *out = column->is_unsigned ? TYPE_U32 : TYPE_I32;
        return 0;
    case 8:
        if (!column->is_unsigned)
            *out = TYPE_I64;
        else
            *out = mode == UNSIGNED_DECIMAL ? TYPE_U64_DECIMAL : TYPE_U64_LONG;
        return 0;
    default:
        return -1;
    }
}

int column_type_of(const struct column *column, const struct table_codec_options *options, enum column_type *out,
                   struct err *err)
{
    bool native = options->profile == AVRO_PROFILE_NATIVE;

    switch (column->kind) {
    case COLUMN_INT:
        if (integer_type(column, options->bigint_unsigned, out) < 0)
            break;
        return 0;
    case COLUMN_DECIMAL:
        *out = TYPE_DECIMAL;
        return 0;
    case COLUMN_FLOAT:
        *out = TYPE_FLOAT;
        return 0;
    case COLUMN_DOUBLE:
        *out = TYPE_DOUBLE;
        return 0;
    case COLUMN_BIT:
        if (column->length <= 1)
            *out = TYPE_BOOLEAN;
        else
            *out = native ? TYPE_BITS_BE : TYPE_BITS_LE;
        return 0;
    case COLUMN_STRING:
        *out = TYPE_TEXT;
        return 0;
    case COLUMN_BYTES:
        *out = column->is_fixed ? TYPE_BYTES_PADDED : TYPE_BYTES;
        return 0;
    case COLUMN_DATE:
        *out = TYPE_DATE;
        return 0;
    case COLUMN_TIME:
        *out = TYPE_TIME;
        return 0;
    case COLUMN_DATETIME:
        *out = native || column->fsp > 3 ? TYPE_DATETIME_MICROS : TYPE_DATETIME_MILLIS;
        return 0;
    case COLUMN_TIMESTAMP:
        *out = native ? TYPE_TIMESTAMP_MICROS : TYPE_TIMESTAMP_ISO;
        return 0;
    case COLUMN_YEAR:
        *out = TYPE_YEAR;
        return 0;
    case COLUMN_ENUM:
        *out = TYPE_ENUM;
        return 0;
    case COLUMN_SET:
        *out = TYPE_SET;
        return 0;
    case COLUMN_JSON:
        *out = TYPE_JSON;
        return 0;
    case COLUMN_GEOMETRY:
        *out = native ? TYPE_GEOMETRY_BYTES : TYPE_GEOMETRY_RECORD;
        return 0;
    case COLUMN_VECTOR:
        *out = TYPE_VECTOR;
        return 0;
    }
    return err_set(
        err, ERR_UNSUPPORTED,
        "column %s has a kind or width that has no Avro type; leave the table out of the capture and report it.",
        column->name);
}
