/* librdkafka up to 2.14 reads uninitialised memory, and crashes, when a Fetch response names new leaders (KIP-951) of some
 * partitions and says of others that they have none: it counts both, and fills in the former only (rdkafka_fetcher.c,
 * rd_kafka_handle_Fetch_metadata_update; issue 5280 of the library). A server that starts again after it was killed sends
 * such responses.
 *
 * The linker lets the library call this instead of its own function (.cargo/config.toml). It fills in all partitions first,
 * with an id that no partition has, which the library passes over.
 */
#include <stdint.h>
#include <string.h>

/* Public in rdkafka.h. */
struct partition {
    int32_t id;
    int err;
    int32_t leader;
    int replica_cnt;
    int32_t *replicas;
    int isr_cnt;
    int32_t *isrs;
};

struct topic {
    char *topic;
    int partition_cnt;
    struct partition *partitions;
    int err;
};

/* rd_kafka_metadata, which is the first member of rd_kafka_metadata_internal_t (rdkafka_metadata.h). */
struct metadata {
    int broker_cnt;
    void *brokers;
    int topic_cnt;
    struct topic *topics;
};

/* rdkafka_proto.h. */
struct uuid {
    int64_t most_significant_bits;
    int64_t least_significant_bits;
    char base64str[23];
};

void __real_rd_kafkap_leader_discovery_set_topic(void *buffer, struct metadata *metadata, int topic,
                                                 struct uuid topic_id, char *topic_name, int partition_cnt);

void __wrap_rd_kafkap_leader_discovery_set_topic(void *buffer, struct metadata *metadata, int topic,
                                                 struct uuid topic_id, char *topic_name, int partition_cnt) {
    __real_rd_kafkap_leader_discovery_set_topic(buffer, metadata, topic, topic_id, topic_name, partition_cnt);
    struct partition *partitions = metadata->topics[topic].partitions;
    for (int at = 0; at < partition_cnt; at++) {
        memset(&partitions[at], 0, sizeof(partitions[at]));
        partitions[at].id     = INT32_MAX;
        partitions[at].leader = -1;
    }
}
