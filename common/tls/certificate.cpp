#include "common/tls/certificate.h"

#include "common/tls/openssl.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>

namespace vigil::tls {
namespace {

constexpr std::size_t kMostCertificates = 16;  // of one text

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

std::string serial_of(const X509* certificate) {
  const ASN1_INTEGER* number = ::X509_get0_serialNumber(certificate);
  return hex(::ASN1_STRING_get0_data(number), static_cast<std::size_t>(::ASN1_STRING_length(number)));
}

std::string text_of_string(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(::ASN1_STRING_length(text))};
}

/// The most specific one, should there be several. Empty when it is no text.
std::string common_name_of(const X509* certificate) {
  const X509_NAME* subject = ::X509_get_subject_name(certificate);
  int at = -1;
  for (int next = -1; (next = ::X509_NAME_get_index_by_NID(subject, NID_commonName, next)) >= 0;) at = next;
  if (at < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ::ASN1_STRING_to_UTF8(&utf8, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return name;
}

Names alternative_names(const X509* certificate) {
  Names names(
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  return names ? std::move(names) : Names(::GENERAL_NAMES_new());
}

std::vector<std::string> uris_of(const X509* certificate) {
  const Names names = alternative_names(certificate);
  std::vector<std::string> uris;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.push_back(text_of_string(name->d.uniformResourceIdentifier));
  }
  return uris;
}

/// "" for what is no address.
std::string address_of(const ASN1_OCTET_STRING* bytes) {
  const int family = ::ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ::ASN1_STRING_length(bytes) != 16) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* written = ::inet_ntop(family, ::ASN1_STRING_get0_data(bytes), text.data(), text.size());
  return written == nullptr ? std::string() : written;
}

Result<std::int64_t> moment_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (::ASN1_TIME_to_tm(time, &parts) != 1)
    return openssl_error(Errc::parse, "the certificate has a time that is none");
  return static_cast<std::int64_t>(::timegm(&parts)) * 1000;
}

}  // namespace

Result<CertificateInfo> read_certificate(std::string_view pem) {
  const auto certificate = parse_certificate(pem);
  if (!certificate) return certificate.error();
  CertificateInfo info;
  info.common_name = common_name_of(certificate->get());
  info.uris = uris_of(certificate->get());
  info.serial = serial_of(certificate->get());
  const auto begins = moment_of(::X509_get0_notBefore(certificate->get()));
  if (!begins) return begins.error();
  const auto ends = moment_of(::X509_get0_notAfter(certificate->get()));
  if (!ends) return ends.error();
  info.not_before_ms = *begins;
  info.not_after_ms = *ends;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (::X509_digest(certificate->get(), ::EVP_sha256(), digest.data(), &size) != 1)
    return openssl_error(Errc::internal, "SHA-256 of the certificate");
  info.fingerprint = hex(digest.data(), size);
  ::ERR_clear_error();  // of extensions that could not be read
  return info;
}

std::optional<std::string> named_by(const CertificateInfo& certificate, std::string_view prefix) {
  std::optional<std::string> name;
  for (const std::string& uri : certificate.uris) {
    if (!uri.starts_with(prefix)) continue;
    if (name) return std::nullopt;
    name = uri.substr(prefix.size());
  }
  return name;
}

Result<std::vector<std::string>> server_hosts(std::string_view pem) {
  const auto certificate = parse_certificate(pem);
  if (!certificate) return certificate.error();
  const Names names = alternative_names(certificate->get());
  std::vector<std::string> hosts;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    std::string host = name->type == GEN_DNS     ? text_of_string(name->d.dNSName)
                       : name->type == GEN_IPADD ? address_of(name->d.iPAddress)
                                                 : std::string();
    if (!host.empty()) hosts.push_back(std::move(host));
  }
  ::ERR_clear_error();
  return hosts;
}

Result<bool> is_for_host(std::string_view pem, const std::string& host) {
  const auto certificate = parse_certificate(pem);
  if (!certificate) return certificate.error();
  const bool by_address = ::X509_check_ip_asc(certificate->get(), host.c_str(), 0) == 1;
  const bool by_name = ::X509_check_host(certificate->get(), host.data(), host.size(), 0, nullptr) == 1;
  ::ERR_clear_error();
  return by_address || by_name;
}

Result<void> check_pair(std::string_view certificate, std::string_view key) {
  const auto one = parse_certificate(certificate);
  if (!one) return one.error();
  const auto other = parse_key(key);
  if (!other) return other.error();
  if (::X509_check_private_key(one->get(), other->get()) == 1) return {};
  ::ERR_clear_error();
  return fail(Errc::invalid_argument, "the key is not the certificate's");
}

Result<std::vector<std::string>> split_certificates(std::string_view pem) {
  const Bio in = reader(pem);
  std::vector<std::string> out;
  while (out.size() < kMostCertificates) {
    const Certificate one(::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    if (!one) break;
    const Bio written(::BIO_new(::BIO_s_mem()));
    if (::PEM_write_bio_X509(written.get(), one.get()) != 1)
      return openssl_error(Errc::internal, "writing a certificate");
    out.push_back(text_of(written.get()));
  }
  const bool at_end = ERR_GET_REASON(::ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (out.empty() || (!at_end && out.size() < kMostCertificates))
    return openssl_error(Errc::parse, "this is no certificate in PEM");
  ::ERR_clear_error();
  return out;
}

Result<void> check_signed_by(std::string_view certificate, std::string_view authority) {
  const auto one = parse_certificate(certificate);
  if (!one) return one.error();
  const auto signer = parse_certificate(authority);
  if (!signer) return signer.error();
  const bool may_sign = ::X509_check_ca(signer->get()) == 1;
  const bool names_it = ::X509_check_issued(signer->get(), one->get()) == X509_V_OK;
  if (may_sign && names_it && ::X509_verify(one->get(), ::X509_get0_pubkey(signer->get())) == 1) return {};
  ::ERR_clear_error();
  return fail(Errc::permission, "the certificate is not signed by this authority");
}

}  // namespace vigil::tls
