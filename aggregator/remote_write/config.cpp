#include "aggregator/remote_write/config.h"

namespace vigil::aggregator::remote_write {

void describe(config::Fields& fields, RemoteWriteConfig& remote_write) {
  fields.field("enabled", remote_write.enabled, "Whether POST /api/v1/write takes samples.");
  fields.field("max_request", remote_write.max_request,
               "Size of one request as it is sent; larger ones are refused.");
  fields.require("max_request",
                 remote_write.max_request.count >= 4096 && remote_write.max_request.count <= 64 << 20,
                 "must be 4KiB to 64MiB");
  fields.field("max_uncompressed", remote_write.max_uncompressed,
               "Size of one request once it is uncompressed.");
  fields.require(
      "max_uncompressed",
      remote_write.max_uncompressed.count >= 4096 && remote_write.max_uncompressed.count <= 256 << 20,
      "must be 4KiB to 256MiB");
  fields.field("max_series", remote_write.max_series, "Series in one request.");
  fields.require("max_series", remote_write.max_series >= 1 && remote_write.max_series <= 1'000'000,
                 "must be 1 to 1000000");
  fields.field("max_samples", remote_write.max_samples, "Samples in one request.");
  fields.require("max_samples", remote_write.max_samples >= 1 && remote_write.max_samples <= 5'000'000,
                 "must be 1 to 5000000");
  fields.field("max_labels", remote_write.max_labels,
               "Labels of a series, its name among them; a series with more is refused.");
  fields.require("max_labels", remote_write.max_labels >= 1 && remote_write.max_labels <= 256,
                 "must be 1 to 256");
  fields.field("max_label_name", remote_write.max_label_name, "Bytes in the name of a label.");
  fields.require("max_label_name", remote_write.max_label_name >= 16 && remote_write.max_label_name <= 4096,
                 "must be 16 to 4096");
  fields.field("max_label_value", remote_write.max_label_value,
               "Bytes in the value of a label, or in a metric's name.");
  fields.require("max_label_value",
                 remote_write.max_label_value >= 16 && remote_write.max_label_value <= 65'536,
                 "must be 16 to 65536");
  fields.field(
      "max_rate", remote_write.max_rate,
      "Samples a second from one address in the long run, ten times as many at once; beyond it 429.");
  fields.require("max_rate", remote_write.max_rate >= 1, "must be at least 1");
  fields.field("max_new_series", remote_write.max_new_series,
               "Series never seen before from one address in a minute; the samples of others are refused.");
  fields.require("max_new_series", remote_write.max_new_series >= 1, "must be at least 1");
  fields.field("max_hosts", remote_write.max_hosts,
               "Hosts known by remote_write or rules alone; the samples of others are refused.");
  fields.field("out_of_order", remote_write.out_of_order,
               "How much older than the newest sample of its series a sample may be.");
  fields.require("out_of_order", remote_write.out_of_order.count() >= 0, "must not be negative");
}

}  // namespace vigil::aggregator::remote_write
