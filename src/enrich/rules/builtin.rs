//! The files of rules that the program carries.

macro_rules! file {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../data/rules/", $name)))
    };
}

/// Their names and texts.
pub(super) const FILES: &[(&str, &str)] = &[
    file!("adb.xml"),
    file!("amqp.xml"),
    file!("dns.xml"),
    file!("docker.xml"),
    file!("elasticsearch.xml"),
    file!("etcd.xml"),
    file!("ftp.xml"),
    file!("html-title.xml"),
    file!("http-cookie.xml"),
    file!("http-jenkins.xml"),
    file!("http-powered-by.xml"),
    file!("http-server-any.xml"),
    file!("http-server.xml"),
    file!("http-wwwauth.xml"),
    file!("imap-id.xml"),
    file!("imap.xml"),
    file!("kubernetes.xml"),
    file!("ldap.xml"),
    file!("memcached.xml"),
    file!("mongodb.xml"),
    file!("mqtt.xml"),
    file!("mysql-error.xml"),
    file!("mysql.xml"),
    file!("nats.xml"),
    file!("ntlm.xml"),
    file!("pop3.xml"),
    file!("postgresql-error.xml"),
    file!("postgresql.xml"),
    file!("redis.xml"),
    file!("rsync.xml"),
    file!("rtsp.xml"),
    file!("sip-server.xml"),
    file!("sip-user-agent.xml"),
    file!("smb-guid.xml"),
    file!("smb-lm.xml"),
    file!("smb-os.xml"),
    file!("smtp.xml"),
    file!("ssh.xml"),
    file!("telnet.xml"),
    file!("vnc.xml"),
    file!("x11.xml"),
    file!("zookeeper.xml"),
];
