// How the table block_index of a partition is asked. Its rows lie in the order of (bucket, host, source,
// first_ms, block), a bucket being ten minutes in which blocks begin: what is added lies together, on few
// pages, and each page that changes is written. By host alone every block would change a page of its own.
#pragma once

#include <cstdint>
#include <string>

namespace vigil::aggregator {

inline constexpr std::int64_t kBucketMs = 600'000;

/// Of the time at which a block begins.
constexpr std::int64_t bucket_of(std::int64_t first_ms) {
  return first_ms / kBucketMs;
}

/// A query of rows of the buckets from ?1 to ?2, one after the other; `rest` restricts them further: "host=?3
/// ...". Buckets without rows cost nothing.
inline std::string over_buckets(const std::string& columns, const std::string& rest) {
  return "WITH RECURSIVE b(bucket) AS (SELECT min(bucket) FROM block_index WHERE bucket>=?1 UNION ALL "
         "SELECT (SELECT min(bucket) FROM block_index WHERE bucket>b.bucket) FROM b WHERE b.bucket<?2) "
         "SELECT " +
         columns + " FROM b CROSS JOIN block_index AS i ON i.bucket=b.bucket WHERE b.bucket<=?2 AND " + rest;
}

/// The same from the last bucket to the first.
inline std::string over_buckets_backwards(const std::string& columns, const std::string& rest) {
  return "WITH RECURSIVE b(bucket) AS (SELECT max(bucket) FROM block_index WHERE bucket<=?2 UNION ALL "
         "SELECT (SELECT max(bucket) FROM block_index WHERE bucket<b.bucket) FROM b WHERE b.bucket>?1) "
         "SELECT " +
         columns + " FROM b CROSS JOIN block_index AS i ON i.bucket=b.bucket WHERE b.bucket>=?1 AND " + rest;
}

}  // namespace vigil::aggregator
