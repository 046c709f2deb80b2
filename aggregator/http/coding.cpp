#include "aggregator/http/coding.h"

#include "common/text/trim.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace vigil::aggregator::http {
namespace {

// The CPU is the aggregator's scarce thing: the fastest levels take most of what JSON has to give.
constexpr int kGzipLevel = 1;
constexpr int kZstdLevel = 1;
constexpr std::size_t kWorthIt = 1024;
constexpr std::size_t kBuffer = 32 << 10;

class Gzip : public Compressor {
 public:
  Gzip() { deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY); }  // 16: gzip
  ~Gzip() override { deflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  std::string add(std::string_view piece) override { return run(piece, Z_NO_FLUSH); }
  std::string finish() override { return run({}, Z_FINISH); }

 private:
  std::string run(std::string_view piece, int flush) {
    std::string out;
    std::array<char, kBuffer> buffer;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream_, flush);
      out.append(buffer.data(), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }

  z_stream stream_{};
};

class Zstd : public Compressor {
 public:
  Zstd() : context_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
  }
  std::string add(std::string_view piece) override { return run(piece, ZSTD_e_continue); }
  std::string finish() override { return run({}, ZSTD_e_end); }

 private:
  std::string run(std::string_view piece, ZSTD_EndDirective directive) {
    std::string out;
    std::array<char, kBuffer> buffer;
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    for (bool done = false; !done;) {
      ZSTD_outBuffer to{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &to, &in, directive);
      out.append(buffer.data(), to.pos);
      const bool is_over = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
      done = ZSTD_isError(left) != 0 || is_over;
    }
    return out;
  }

  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

/// The weight in " q=0.5 "; 1 when nothing is said.
double weight_of(std::string_view parameters) {
  const auto at = parameters.find("q=");
  if (at == std::string_view::npos) return 1;
  const std::string_view text = trim(parameters.substr(at + 2));
  double weight = 0;
  std::from_chars(text.data(), text.data() + text.size(), weight);
  return weight;
}

struct Weights {
  double gzip = -1;  // not said
  double zstd = -1;
  double any = -1;
};

void note(std::string_view item, Weights& weights) {
  const auto semicolon = item.find(';');
  const std::string_view name = trim(item.substr(0, semicolon));
  const double weight = weight_of(semicolon == std::string_view::npos ? "" : item.substr(semicolon));
  if (name == "gzip" || name == "x-gzip") weights.gzip = weight;
  if (name == "zstd") weights.zstd = weight;
  if (name == "*") weights.any = weight;
}

bool is_text(const Response& response) {
  return response.content_type.starts_with("text/") || response.content_type.starts_with("application/json");
}

/// Takes pieces until the compressor gives something, or the end.
NextPiece compressing(NextPiece next, std::shared_ptr<Compressor> compressor) {
  return [next = std::move(next), compressor = std::move(compressor), done = false]() mutable {
    std::string out;
    while (out.empty() && !done) {
      const std::string piece = next();
      done = piece.empty();
      out = done ? compressor->finish() : compressor->add(piece);
    }
    return out;
  };
}

}  // namespace

std::string_view to_string(Coding coding) {
  constexpr std::array<std::string_view, 3> kNames = {"identity", "gzip", "zstd"};
  return kNames.at(static_cast<std::size_t>(coding));
}

Coding best_coding(std::string_view accept_encoding) {
  Weights weights;
  while (!accept_encoding.empty()) {
    const auto comma = std::min(accept_encoding.find(','), accept_encoding.size());
    note(accept_encoding.substr(0, comma), weights);
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
  }
  const double zstd = weights.zstd >= 0 ? weights.zstd : weights.any;
  const double gzip = weights.gzip >= 0 ? weights.gzip : weights.any;
  if (zstd > 0 && zstd >= gzip) return Coding::zstd;
  return gzip > 0 ? Coding::gzip : Coding::identity;
}

std::unique_ptr<Compressor> Compressor::create(Coding coding) {
  if (coding == Coding::zstd) return std::make_unique<Zstd>();
  return std::make_unique<Gzip>();
}

Response encoded(Response response, Coding coding) {
  if (!is_text(response) || (!response.next && response.body.size() < kWorthIt)) return response;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (coding == Coding::identity) return response;
  response.headers.emplace_back("Content-Encoding", to_string(coding));
  std::shared_ptr<Compressor> compressor = Compressor::create(coding);
  response.body = compressor->add(response.body);
  if (response.next) {
    response.next = compressing(std::move(response.next), std::move(compressor));
  } else {
    response.body += compressor->finish();
  }
  return response;
}

}  // namespace vigil::aggregator::http
