//! Under which names a product stands: other vendors' names for it in CPEs, and its source packages in distributions.
//!
//! Facts of the CPE dictionary (a product changes hands, or was entered twice) and of the archives of Debian and Ubuntu.

/// A product by vendor and name, as CPEs have them.
pub type Named<'a> = (&'a str, &'a str);

/// All names of a product, its own first.
pub fn of_product<'a>(vendor: &'a str, product: &'a str) -> Vec<Named<'a>> {
    let mut names = vec![(vendor, product)];
    for same in SAME {
        if same.contains(&(vendor, product)) {
            names.extend(same.iter().filter(|name| **name != (vendor, product)));
        }
    }
    names
}

/// The source packages that hold a version of it, the likeliest first. Where nothing is known of it, the product's own name.
pub fn of_packages(vendor: &str, product: &str, version: &str) -> Vec<String> {
    let names = of_product(vendor, product);
    let known = PACKAGES
        .iter()
        .find(|(name, _)| names.contains(name))
        .map_or(&[][..], |(_, packages)| *packages);
    if known.is_empty() {
        return vec![product.to_owned()];
    }
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    known
        .iter()
        .map(|package| package.replace("{major}", major).replace("{minor}", minor))
        .collect()
}

/// Whether distributions are known to package it.
pub fn is_packaged(vendor: &str, product: &str) -> bool {
    let names = of_product(vendor, product);
    PACKAGES.iter().any(|(name, _)| names.contains(name))
}

/// Whether a name is that of a whole distribution. Feeds name these wherever one of their packages has a flaw, but a
/// release says nothing about a package: each has its own revision.
pub fn is_distribution(vendor: &str, product: &str) -> bool {
    DISTRIBUTIONS.contains(&(vendor, product))
}

/// Whether a vendor, as CPEs have it, builds packages of its own of what others write.
pub fn is_distributor(vendor: &str) -> bool {
    let builds = |(distributor, _): &Named<'_>| *distributor == vendor;
    DISTRIBUTIONS.iter().any(builds) || ["freebsd", "netbsd", "openbsd"].contains(&vendor)
}

const DISTRIBUTIONS: [Named<'static>; 16] = [
    ("almalinux", "almalinux"),
    ("alpinelinux", "alpine_linux"),
    ("amazon", "linux"),
    ("amazon", "linux_2"),
    ("amazon", "linux_2023"),
    ("canonical", "ubuntu_linux"),
    ("centos", "centos"),
    ("debian", "debian_linux"),
    ("fedoraproject", "fedora"),
    ("opensuse", "leap"),
    ("opensuse", "opensuse"),
    ("oracle", "linux"),
    ("raspberrypi", "raspberry_pi_os"),
    ("redhat", "enterprise_linux"),
    ("rocky", "rocky_linux"),
    ("suse", "linux_enterprise_server"),
];

const SAME: &[&[Named<'static>]] = &[
    &[
        ("f5", "nginx"),
        ("nginx", "nginx"),
        ("f5", "nginx_open_source"),
        ("igor_sysoev", "nginx"),
    ],
    &[
        ("oracle", "mysql"),
        ("oracle", "mysql_server"),
        ("mysql", "mysql"),
        ("sun", "mysql"),
    ],
    &[
        ("redis", "redis"),
        ("redislabs", "redis"),
        ("pivotal_software", "redis"),
    ],
    &[
        ("vsftpd_project", "vsftpd"),
        ("beasts", "vsftpd"),
        ("vsftpd", "vsftpd"),
        ("redhat", "vsftpd"),
    ],
    &[
        ("dropbear_ssh_project", "dropbear_ssh"),
        ("dropbear_ssh_project", "dropbear_ssh_server"),
        ("matt_johnston", "dropbear_ssh_server"),
    ],
    &[
        ("vmware", "rabbitmq"),
        ("pivotal_software", "rabbitmq"),
        ("rabbitmq", "rabbitmq"),
        ("broadcom", "rabbitmq_server"),
    ],
    &[("proftpd", "proftpd"), ("proftpd_project", "proftpd")],
    &[("exim", "exim"), ("university_of_cambridge", "exim")],
    &[
        ("microsoft", "internet_information_services"),
        ("microsoft", "internet_information_server"),
        ("microsoft", "iis"),
    ],
    &[
        ("elastic", "elasticsearch"),
        ("elasticsearch", "elasticsearch"),
    ],
    &[
        ("samba", "rsync"),
        ("rsync", "rsync"),
        ("andrew_tridgell", "rsync"),
    ],
    &[("eclipse", "mosquitto"), ("mosquitto", "mosquitto")],
    &[("pureftpd", "pure-ftpd"), ("pureftpd", "pureftpd")],
    &[("lighttpd", "lighttpd"), ("jan_kneschke", "lighttpd")],
    &[("memcached", "memcached"), ("memcachedb", "memcached")],
];

const PACKAGES: &[(Named<'static>, &[&str])] = &[
    (("apache", "http_server"), &["apache2"]),
    (("apache", "tomcat"), &["tomcat{major}"]),
    (("cyrus", "imap"), &["cyrus-imapd"]),
    (("dovecot", "dovecot"), &["dovecot"]),
    (("dropbear_ssh_project", "dropbear_ssh"), &["dropbear"]),
    (("eclipse", "mosquitto"), &["mosquitto"]),
    (("exim", "exim"), &["exim4"]),
    (("f5", "nginx"), &["nginx"]),
    (("haproxy", "haproxy"), &["haproxy"]),
    (("isc", "bind"), &["bind9"]),
    (("libssh", "libssh"), &["libssh"]),
    (("lighttpd", "lighttpd"), &["lighttpd"]),
    (
        ("mariadb", "mariadb"),
        &["mariadb", "mariadb-{major}.{minor}"],
    ),
    (("memcached", "memcached"), &["memcached"]),
    (("nlnetlabs", "nsd"), &["nsd"]),
    (("nlnetlabs", "unbound"), &["unbound"]),
    (("openbsd", "openssh"), &["openssh"]),
    (("openldap", "openldap"), &["openldap"]),
    (("openssl", "openssl"), &["openssl"]),
    (
        ("oracle", "mysql"),
        &["mysql-{major}.{minor}", "mysql-{major}"],
    ),
    (("php", "php"), &["php{major}.{minor}"]),
    (("postfix", "postfix"), &["postfix"]),
    (("postgresql", "postgresql"), &["postgresql-{major}"]),
    (("powerdns", "authoritative_server"), &["pdns"]),
    (("powerdns", "recursor"), &["pdns-recursor"]),
    (("proftpd", "proftpd"), &["proftpd-dfsg"]),
    (("pureftpd", "pure-ftpd"), &["pure-ftpd"]),
    (("redis", "redis"), &["redis"]),
    (("samba", "rsync"), &["rsync"]),
    (("samba", "samba"), &["samba"]),
    (("squid-cache", "squid"), &["squid"]),
    (("thekelleys", "dnsmasq"), &["dnsmasq"]),
    (("varnish-software", "varnish_cache"), &["varnish"]),
    (("vmware", "rabbitmq"), &["rabbitmq-server"]),
    (("vsftpd_project", "vsftpd"), &["vsftpd"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_found_under_each_of_its_names() {
        assert_eq!(of_packages("nginx", "nginx", "1.18.0"), ["nginx"]);
        assert_eq!(
            of_product("igor_sysoev", "nginx")[..2],
            [("igor_sysoev", "nginx"), ("f5", "nginx")]
        );
        assert_eq!(
            of_packages("mariadb", "mariadb", "10.11.6"),
            ["mariadb", "mariadb-10.11"]
        );
        assert_eq!(
            of_packages("postgresql", "postgresql", "15.6"),
            ["postgresql-15"]
        );
        assert_eq!(of_packages("acme", "thing", "1"), ["thing"]);
        assert!(
            is_distribution("debian", "debian_linux") && !is_distribution("openbsd", "openssh")
        );
        assert!(is_packaged("nginx", "nginx") && !is_packaged("microsoft", "iis"));
    }

    #[test]
    fn no_name_stands_twice() {
        let mut all: Vec<_> = SAME.iter().flat_map(|same| same.iter()).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
