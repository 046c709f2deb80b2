// Sums, means, variances and quantiles as Prometheus computes them, so that results agree to the last digits.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace vigil::promql {

/// Neumaier's variant of Kahan summation: the error of each addition is carried along.
struct CompensatedSum {
  double sum = 0;
  double carry = 0;

  void add(double value) {
    const double total = sum + value;
    if (std::isinf(total)) {
      carry = 0;
    } else if (std::fabs(sum) >= std::fabs(value)) {
      carry += (sum - total) + value;
    } else {
      carry += (value - total) + sum;
    }
    sum = total;
  }
  /// Adds what was summed by itself.
  void join(const CompensatedSum& other) {
    add(other.sum);
    if (!std::isinf(sum)) carry += other.carry;
  }
  double value() const { return std::isinf(sum) ? sum : sum + carry; }
};

/// The mean from the sum as long as that does not overflow, then incrementally.
class Mean {
 public:
  void add(double value) {
    ++count_;
    if (!incremental_) {
      CompensatedSum next = sum_;
      next.add(value);
      if (count_ == 1 || !std::isinf(next.sum)) {
        sum_ = next;
        return;
      }
      incremental_ = true;
      sum_.sum /= count_ - 1;
      sum_.carry /= count_ - 1;
    }
    add_incrementally(value);
  }
  double value() const { return incremental_ ? sum_.value() : sum_.sum / count_ + sum_.carry / count_; }
  bool empty() const { return count_ == 0; }

 private:
  void add_incrementally(double value) {
    // An infinite mean stays when the same infinity or a finite value comes; computing it would give NaN.
    if (std::isinf(sum_.sum)) {
      if (std::isinf(value) && (sum_.sum > 0) == (value > 0)) return;
      if (std::isfinite(value)) return;
    }
    const double share = (count_ - 1) / count_;
    sum_.sum *= share;
    sum_.carry *= share;
    sum_.add(value / count_);
  }

  CompensatedSum sum_;  // of the values, or the mean itself once incremental_
  double count_ = 0;
  bool incremental_ = false;
};

/// Welford's algorithm for the population variance.
class Variance {
 public:
  void add(double value) {
    count_ += 1;
    const double delta = value - mean_.value();
    mean_.add(delta / count_);
    squares_.add(delta * (value - mean_.value()));
    if (!std::isfinite(value)) squares_.sum = std::numeric_limits<double>::quiet_NaN();
  }
  double value() const { return squares_.value() / count_; }
  bool empty() const { return count_ == 0; }

 private:
  CompensatedSum mean_;
  CompensatedSum squares_;
  double count_ = 0;
};

/// The q-quantile with linear interpolation; NaN sorts below everything. Reorders `values`.
inline double quantile(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return std::numeric_limits<double>::quiet_NaN();
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  std::sort(values.begin(), values.end(),
            [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
  const auto last = static_cast<double>(values.size() - 1);
  const double rank = q * last;
  const double lower = std::floor(rank);
  const double upper = std::min(last, lower + 1);
  const double weight = rank - lower;
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

}  // namespace vigil::promql
