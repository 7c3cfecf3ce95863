/* handle: what every librdkafka client here is made of: its configuration from kafka_options, its main queue, the
 * newest trouble that it told of, and the words for its errors. Private to kafka/.
 *
 * librdkafka tells of lost connections and refused credentials beside the call that suffers from them, as log lines and
 * error events; both are kept here so that a call which times out can say why. Thread: kafka_handle_failed and the log
 * callback from any thread; the rest by the owner. Source: librdkafka's INTRODUCTION.md and CONFIGURATION.md. */
#ifndef PILLION_KAFKA_HANDLE_H
#define PILLION_KAFKA_HANDLE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kafka/kafka_client.h"

enum { KAFKA_TROUBLE_TEXT = 320 };

struct kafka_handle {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue; /* the main queue: events and errors */
    bool mock;
    atomic_bool closing; /* what breaks off now is no trouble */
    pthread_mutex_t lock;
    rd_kafka_resp_err_t trouble; /* of the newest, NO_ERROR: none */
    char trouble_text[KAFKA_TROUBLE_TEXT];
};

/* A configuration with the shared options in it. On error nothing is left. */
int kafka_conf_new(rd_kafka_conf_t **out, const struct kafka_options *o, struct err *err);
/* Sets one property; the value may be formatted. */
int kafka_conf_set(rd_kafka_conf_t *conf, struct err *err, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The raw properties, last. */
int kafka_conf_set_raw(rd_kafka_conf_t *conf, const struct kafka_options *o, struct err *err);

/* Opens the client; takes the configuration in any case. */
int kafka_handle_init(struct kafka_handle *h, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                      const struct kafka_options *o, struct err *err);
void kafka_handle_release(struct kafka_handle *h);
/* Keeps what a connection or an error callback told of. */
void kafka_handle_trouble(struct kafka_handle *h, rd_kafka_resp_err_t code, const char *text);
/* Keeps an error event's message; a fatal one stays for good. */
void kafka_handle_note(struct kafka_handle *h, rd_kafka_event_t *event);
/* The connections told of something that only a person can mend, so waiting longer is no use. */
bool kafka_handle_refused(struct kafka_handle *h);
/* Sets err from an error code of a call or a record. `what` begins the sentence: "Topic x cannot be opened". Returns
 * -1. */
int kafka_handle_failed(struct kafka_handle *h, rd_kafka_resp_err_t code, const char *detail, struct err *err,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The class that an error belongs to, and what a person can do about it ("" when nothing is known). */
enum err_code kafka_error_code(rd_kafka_resp_err_t code);
const char *kafka_error_remedy(rd_kafka_resp_err_t code);

#endif
