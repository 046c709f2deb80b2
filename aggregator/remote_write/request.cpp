#include "aggregator/remote_write/request.h"

#include "aggregator/remote_write/proto_reader.h"
#include "common/text/letter_case.h"
#include "common/text/trim.h"

#include <snappy.h>

#include <algorithm>

namespace vigil::aggregator::remote_write {
namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kMessageV1 = "prometheus.WriteRequest";
constexpr std::string_view kMessageV2 = "io.prometheus.write.v2.Request";
constexpr std::size_t kMaxMetadata = 20'000;
constexpr std::size_t kMaxLabels = 1'000'000;  // of all series together
constexpr std::size_t kMaxSymbols = 1'000'000;

Error bad_message() {
  return fail(Errc::parse, "the body is no such protobuf message");
}

/// Both versions' messages into a Request.
class Reader {
 public:
  Reader(Request& out, const RequestLimits& limits) : out_(out), limits_(limits) {}

  Result<void> read_v1(std::string_view bytes) {
    ProtoReader in(bytes);
    while (in.next()) {
      if (in.field() == 1) {
        if (auto read = series_v1(in.bytes()); !read) return read;
      } else if (in.field() == 3) {
        if (!metadata_v1(in.bytes())) return bad_message();
      }
    }
    return in.failed() ? Result<void>(bad_message()) : Result<void>();
  }

  Result<void> read_v2(std::string_view bytes) {
    ProtoReader symbols(bytes);
    while (symbols.next()) {
      if (symbols.field() != 4) continue;
      if (symbols_.size() >= kMaxSymbols) return fail(Errc::limit, "more than {} symbols", kMaxSymbols);
      symbols_.push_back(symbols.bytes());
    }
    if (symbols.failed()) return bad_message();
    ProtoReader in(bytes);
    while (in.next()) {
      if (in.field() != 5) continue;
      if (auto read = series_v2(in.bytes()); !read) return read;
    }
    return in.failed() ? Result<void>(bad_message()) : Result<void>();
  }

 private:
  Result<TimeSeries*> begin_series() {
    if (out_.series.size() >= limits_.max_series)
      return fail(Errc::limit, "more than {} series in one request", limits_.max_series);
    TimeSeries& series = out_.series.emplace_back();
    series.first_label = static_cast<std::uint32_t>(out_.labels.size());
    return &series;
  }

  void add_label(TimeSeries& series, const LabelView& label) {
    if (series.labels >= limits_.max_labels || out_.labels.size() >= kMaxLabels) {
      series.too_many_labels = true;
      return;
    }
    out_.labels.push_back(label);
    ++series.labels;
  }

  Result<void> add_sample(TimeSeries& series, std::string_view bytes) {
    if (out_.samples.size() >= limits_.max_samples)
      return fail(Errc::limit, "more than {} samples in one request", limits_.max_samples);
    promql::Point& sample = out_.samples.emplace_back();
    ProtoReader in(bytes);
    while (in.next()) {
      if (in.field() == 1) sample.v = in.fixed_double();
      if (in.field() == 2) sample.t_ms = static_cast<std::int64_t>(in.varint());
    }
    ++series.samples;
    return in.failed() ? Result<void>(bad_message()) : Result<void>();
  }

  Result<void> series_v1(std::string_view bytes) {
    auto begun = begin_series();
    if (!begun) return begun.error();
    TimeSeries& series = **begun;
    ProtoReader in(bytes);
    while (in.next()) {
      switch (in.field()) {
        case 1:
          if (!label_v1(series, in.bytes())) return bad_message();
          break;
        case 2:
          if (auto added = add_sample(series, in.bytes()); !added) return added;
          break;
        case 3:
          ++out_.exemplars;
          break;
        case 4:
          add_histogram(series);
          break;
        default:
          break;
      }
    }
    return in.failed() ? Result<void>(bad_message()) : Result<void>();
  }

  bool label_v1(TimeSeries& series, std::string_view bytes) {
    LabelView label;
    ProtoReader in(bytes);
    while (in.next()) {
      if (in.field() == 1) label.name = in.bytes();
      if (in.field() == 2) label.value = in.bytes();
    }
    add_label(series, label);
    return !in.failed();
  }

  bool metadata_v1(std::string_view bytes) {
    Metadata metadata;
    ProtoReader in(bytes);
    while (in.next()) {
      if (in.field() == 1) metadata.type = type_of(in.varint());
      if (in.field() == 2) metadata.family = in.bytes();
      if (in.field() == 4) metadata.help = in.bytes();
      if (in.field() == 5) metadata.unit = in.bytes();
    }
    if (out_.metadata.size() < kMaxMetadata) out_.metadata.push_back(metadata);
    return !in.failed();
  }

  Result<void> series_v2(std::string_view bytes) {
    auto begun = begin_series();
    if (!begun) return begun.error();
    TimeSeries& series = **begun;
    refs_.clear();
    Metadata metadata;
    bool described = false;
    ProtoReader in(bytes);
    while (in.next()) {
      switch (in.field()) {
        case 1:
          if (!add_refs(in)) return bad_message();
          break;
        case 2:
          if (auto added = add_sample(series, in.bytes()); !added) return added;
          break;
        case 3:
          add_histogram(series);
          break;
        case 4:
          ++out_.exemplars;
          break;
        case 5:
          described = true;
          if (!metadata_v2(in.bytes(), metadata)) return bad_message();
          break;
        default:
          break;
      }
    }
    if (in.failed()) return bad_message();
    if (auto named = name_refs(series); !named) return named;
    if (described) describe(series, metadata);
    return {};
  }

  /// Twice as many as labels are taken, and one pair more to know that there are too many.
  bool add_refs(ProtoReader& in) {
    const std::size_t most = 2 * (std::size_t{limits_.max_labels} + 1);
    if (!in.is_packed()) {
      const std::uint64_t ref = in.varint();
      if (refs_.size() < most) refs_.push_back(ref);
      return true;
    }
    ByteReader packed(in.bytes());
    while (!packed.at_end()) {
      const std::uint64_t ref = packed.varint();
      if (refs_.size() < most) refs_.push_back(ref);
    }
    return !packed.failed();
  }

  Result<void> name_refs(TimeSeries& series) {
    if (refs_.size() % 2 != 0)
      return fail(Errc::parse, "labels_refs has an odd length: a name without a value");
    for (std::size_t i = 0; i < refs_.size(); i += 2) {
      if (refs_[i] >= symbols_.size() || refs_[i + 1] >= symbols_.size())
        return fail(Errc::parse, "labels_refs names symbol {}, there are {}",
                    std::max(refs_[i], refs_[i + 1]), symbols_.size());
      add_label(series, {symbols_[refs_[i]], symbols_[refs_[i + 1]]});
    }
    return {};
  }

  bool metadata_v2(std::string_view bytes, Metadata& metadata) {
    ProtoReader in(bytes);
    const auto symbol = [&](std::uint64_t ref) {
      return ref < symbols_.size() ? symbols_[ref] : std::string_view();
    };
    while (in.next()) {
      if (in.field() == 1) metadata.type = type_of(in.varint());
      if (in.field() == 3) metadata.help = symbol(in.varint());
      if (in.field() == 4) metadata.unit = symbol(in.varint());
    }
    return !in.failed();
  }

  void describe(TimeSeries& series, Metadata metadata) {
    series.type = metadata.type;
    for (std::uint32_t i = 0; i < series.labels; ++i) {
      const LabelView& label = out_.labels[series.first_label + i];
      if (label.name == kMetricName) metadata.family = label.value;
    }
    // Series of one family stand together.
    const bool again = !out_.metadata.empty() && out_.metadata.back().family == metadata.family;
    if (!again && !metadata.family.empty() && out_.metadata.size() < kMaxMetadata)
      out_.metadata.push_back(metadata);
  }

  void add_histogram(TimeSeries& series) {
    ++out_.histograms;
    ++series.histograms;
  }

  static MetricType type_of(std::uint64_t number) {
    return number < kMetricTypes ? static_cast<MetricType>(number) : MetricType::unknown;
  }

  Request& out_;
  const RequestLimits& limits_;
  std::vector<std::string_view> symbols_;
  std::vector<std::uint64_t> refs_;  // of the series being read
};

}  // namespace

Result<Version> version_of(std::string_view content_type, std::string_view content_encoding) {
  if (!content_encoding.empty() && lower_case(trim(content_encoding)) != "snappy") {
    return fail(Errc::unsupported, "Content-Encoding is {}, must be snappy", content_encoding);
  }
  const auto wrong = [&] {
    return fail(Errc::unsupported, "Content-Type is {}, must be {}, alone or with proto={} or proto={}",
                content_type.empty() ? "missing" : content_type, kProtobuf, kMessageV1, kMessageV2);
  };
  auto semicolon = content_type.find(';');
  if (lower_case(trim(content_type.substr(0, semicolon))) != kProtobuf) return wrong();
  Version version = Version::v1;
  while (semicolon != std::string_view::npos) {
    content_type.remove_prefix(semicolon + 1);
    semicolon = content_type.find(';');
    const std::string_view parameter = trim(content_type.substr(0, semicolon));
    const auto equals = parameter.find('=');
    if (lower_case(trim(parameter.substr(0, equals))) != "proto") continue;
    std::string_view message = equals == std::string_view::npos ? "" : trim(parameter.substr(equals + 1));
    if (message.size() >= 2 && message.front() == '"' && message.back() == '"')
      message = message.substr(1, message.size() - 2);
    if (message != kMessageV1 && message != kMessageV2) return wrong();
    version = message == kMessageV2 ? Version::v2 : Version::v1;
  }
  return version;
}

Result<std::string> uncompress(std::string_view body, std::uint64_t max_bytes) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size))
    return fail(Errc::parse, "the body is not in snappy's block format");
  if (size > max_bytes)
    return fail(Errc::limit, "the body has {} bytes uncompressed, at most {} are taken", size, max_bytes);
  // No three bytes of snappy make more than 64: who claims more lies, and gets no memory for it.
  if (size / 64 > body.size()) return fail(Errc::parse, "the body is not in snappy's block format");
  std::string plain(size, '\0');
  if (!snappy::RawUncompress(body.data(), body.size(), plain.data()))
    return fail(Errc::parse, "the body is not in snappy's block format");
  return plain;
}

Result<Request> read_request(Version version, std::string_view bytes, const RequestLimits& limits) {
  Request request;
  Reader reader(request, limits);
  auto read = version == Version::v2 ? reader.read_v2(bytes) : reader.read_v1(bytes);
  if (!read) return read.error();
  return request;
}

}  // namespace vigil::aggregator::remote_write
