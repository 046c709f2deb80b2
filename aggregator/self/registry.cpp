#include "aggregator/self/registry.h"

#include "common/text/exposition.h"

#include <algorithm>

namespace vigil::aggregator::self {

void Histogram::observe(double seconds) {
  const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  buckets_[static_cast<std::size_t>(at - kBounds.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(static_cast<std::uint64_t>(std::max(seconds, 0.0) * 1e6), std::memory_order_relaxed);
}

std::uint64_t Histogram::up_to(std::size_t i) const {
  std::uint64_t sum = 0;
  for (std::size_t k = 0; k <= i; ++k) sum += buckets_[k].load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t Histogram::count() const {
  return up_to(kBounds.size());
}

Registry::Family& Registry::family(const std::string& name, const std::string& help, Kind kind) {
  Family& family = families_[name];
  family.help = help;
  family.kind = kind;
  return family;
}

Counter& Registry::counter(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(mutex_);
  Counter& made = counters_.emplace_back();
  family(name, help, Kind::counter).sources.emplace_back([&made, labels = std::move(labels)] {
    return Samples{{labels, static_cast<double>(made.value())}};
  });
  return made;
}

Gauge& Registry::gauge(const std::string& name, const std::string& help, Labels labels) {
  const std::lock_guard lock(mutex_);
  Gauge& made = gauges_.emplace_back();
  family(name, help, Kind::gauge).sources.emplace_back([&made, labels = std::move(labels)] {
    return Samples{{labels, made.value()}};
  });
  return made;
}

Histogram& Registry::histogram(const std::string& name, const std::string& help) {
  const std::lock_guard lock(mutex_);
  Histogram& made = histograms_.emplace_back();
  family(name, help, Kind::counter).histogram = &made;
  return made;
}

void Registry::collect(Kind kind, const std::string& name, const std::string& help,
                       std::function<double()> read, Labels labels) {
  const std::lock_guard lock(mutex_);
  family(name, help, kind).sources.emplace_back([read = std::move(read), labels = std::move(labels)] {
    return Samples{{labels, read()}};
  });
}

void Registry::collect_many(Kind kind, const std::string& name, const std::string& help,
                            std::function<Samples()> read) {
  const std::lock_guard lock(mutex_);
  family(name, help, kind).sources.push_back(std::move(read));
}

namespace {

/// `put(name, labels, value)` of each series of a histogram.
template <class Put>
void put_histogram(const std::string& name, const Histogram& histogram, const Put& put) {
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    put(name + "_bucket", Labels{{"le", format_value(Histogram::kBounds[i])}},
        static_cast<double>(histogram.up_to(i)));
  }
  const auto count = static_cast<double>(histogram.count());
  put(name + "_bucket", Labels{{"le", "+Inf"}}, count);
  put(name + "_sum", Labels{}, histogram.sum());
  put(name + "_count", Labels{}, count);
}

}  // namespace

std::vector<Registry::Reading> Registry::read() const {
  const std::lock_guard lock(mutex_);
  std::vector<Reading> out;
  for (const auto& [name, family] : families_) {
    if (family.histogram != nullptr) {
      put_histogram(name, *family.histogram, [&out](std::string series, Labels labels, double value) {
        out.push_back({Kind::counter, std::move(series), std::move(labels), value});
      });
      continue;
    }
    for (const auto& source : family.sources) {
      for (auto& [labels, value] : source()) out.push_back({family.kind, name, std::move(labels), value});
    }
  }
  return out;
}

std::string Registry::exposition() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    if (family.histogram != nullptr) {
      append_family(out, name, family.help, "histogram");
      put_histogram(name, *family.histogram,
                    [&out](const std::string& series, const Labels& labels, double value) {
                      append_sample(out, series, labels, value);
                    });
      continue;
    }
    append_family(out, name, family.help, family.kind == Kind::counter ? "counter" : "gauge");
    for (const auto& source : family.sources) {
      for (const auto& [labels, value] : source()) append_sample(out, name, labels, value);
    }
  }
  return out;
}

}  // namespace vigil::aggregator::self
