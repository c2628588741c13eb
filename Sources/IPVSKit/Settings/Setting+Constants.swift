// The settings are in the order of the kernel's `vs_vars`, by type. They are computed properties because a generic type
// cannot have stored static ones.

extension Setting where Value == Bool {
    /// `backup_only`: a host with a backup daemon balances nothing, so that packets do not circulate between two
    /// balancers (direct routing, tunnels). Default: off.
    public static var backupOnly: Self { .init("backup_only") }
    /// `cache_bypass`: if no destination is available, packets go to the address to which they were sent. Default: off.
    public static var cacheBypass: Self { .init("cache_bypass") }
    /// `conntrack`: conntrack tracks balanced connections, which NAT and stateful rules need. Only in kernels with
    /// CONFIG_IP_VS_NFCT. Default: off.
    public static var conntrack: Self { .init("conntrack") }
    /// `expire_nodest_conn`: a connection whose destination was deleted ends with its next packet, instead of
    /// waiting for the destination to come back. Default: off.
    public static var expireNodestConn: Self { .init("expire_nodest_conn") }
    /// `expire_quiescent_template`: persistence forgets a destination of weight 0. Default: off.
    public static var expireQuiescentTemplate: Self { .init("expire_quiescent_template") }
    /// `ignore_tunneled`: packets of unknown protocols are ignored, so that packets from a tunnel to this host are not
    /// balanced again. Default: off.
    public static var ignoreTunneled: Self { .init("ignore_tunneled") }
    /// `nat_icmp_send`: a destination that sends a packet of an unknown connection gets an ICMP error. Default: off.
    public static var natICMPSend: Self { .init("nat_icmp_send") }
    /// `pmtu_disc`: packets that are too large for the path are refused by ICMP. If it is off, packets for tunnels are
    /// fragmented. Default: on.
    public static var pmtuDisc: Self { .init("pmtu_disc") }
    /// `run_estimation`: the kernel updates counters and rates. If it is off, they stand still. Default: on.
    public static var runEstimation: Self { .init("run_estimation") }
    /// `schedule_icmp`: ICMP errors that belong to no connection are scheduled, too. Default: off.
    public static var scheduleICMP: Self { .init("schedule_icmp") }
    /// `sloppy_tcp`: any TCP packet begins a connection, not only a SYN. Default: off.
    public static var sloppyTCP: Self { .init("sloppy_tcp") }
    /// `sloppy_sctp`: any SCTP packet begins a connection, not only an INIT. Default: off.
    public static var sloppySCTP: Self { .init("sloppy_sctp") }
    /// `snat_reroute`: replies are routed as if they came from this host. Default: on.
    public static var snatReroute: Self { .init("snat_reroute") }
}

extension Setting where Value == Int32 {
    /// `am_droprate`: one packet in this many is dropped while ``dropPacket`` is ``DefenseMode/always``. Default: 10.
    public static var amDroprate: Self { .init("am_droprate") }
    /// `amemthresh`: the number of free pages below which memory counts as short. Default: 1024.
    public static var amemthresh: Self { .init("amemthresh") }
    /// `est_nice`: the niceness of the threads that update counters, −20 to 19. Since Linux 6.2. Default: 0.
    public static var estNice: Self { .init("est_nice") }
    /// `sync_ports`: the number of threads, and of UDP ports from 8848 on, that send connections to backups: a power of
    /// two up to 128. Default: 1.
    public static var syncPorts: Self { .init("sync_ports") }
    /// `sync_sock_size`: the size of the daemon's socket buffer in bytes; 0 for the system's default. Default: 0.
    public static var syncSockSize: Self { .init("sync_sock_size") }
    /// `sync_refresh_period`: a connection is sent to backups again when its remaining time has changed by this many
    /// seconds. Default: 0.
    public static var syncRefreshPeriod: Self { .init("sync_refresh_period") }
    /// `sync_retries`: how often the message is repeated, an eighth of ``syncRefreshPeriod`` apart: 0 to 3. Default: 0.
    public static var syncRetries: Self { .init("sync_retries") }
    /// `lblc_expiration`: the seconds without use after which the scheduler ``Scheduler/localityBasedLeastConnection``
    /// forgets the destination of an address. The setting exists only while the scheduler's module is loaded. Default:
    /// 86,400, a day.
    public static var lblcExpiration: Self { .init("lblc_expiration") }
    /// `lblcr_expiration`: like ``lblcExpiration``, for ``Scheduler/localityBasedLeastConnectionWithReplication``.
    public static var lblcrExpiration: Self { .init("lblcr_expiration") }
    /// `conn_lfactor`: how full the table of connections gets before it grows, as a power of two, −8 to 8.
    /// Development kernels of 2026. Default: −4.
    public static var connLfactor: Self { .init("conn_lfactor") }
    /// `svc_lfactor`: like ``connLfactor``, for the table of services. Default: −3.
    public static var svcLfactor: Self { .init("svc_lfactor") }
}

extension Setting where Value == UInt64 {
    /// `sync_qlen_max`: the largest number of messages that wait for the daemon to send them. Default: one for every 32
    /// pages of memory.
    public static var syncQlenMax: Self { .init("sync_qlen_max") }
}

extension Setting where Value == DefenseMode {
    /// `drop_entry`: against SYN floods: half-open connections are dropped at random. Default: never.
    public static var dropEntry: Self { .init("drop_entry") }
    /// `drop_packet`: packets are dropped before they are balanced. Default: never.
    public static var dropPacket: Self { .init("drop_packet") }
    /// `secure_tcp`: a stricter table of TCP states. Default: never.
    public static var secureTCP: Self { .init("secure_tcp") }
}

extension Setting where Value == ConnectionReuse {
    /// `conn_reuse_mode`: how a new connection from a port with an old connection is handled. Default:
    /// ``ConnectionReuse/whenSafe``.
    public static var connReuseMode: Self { .init("conn_reuse_mode") }
}

extension Setting where Value == CPUList {
    /// `est_cpulist`: the processors for the threads that update counters. With ``CPUList/none`` the threads end, and
    /// counters stand still. Since Linux 6.2. Default: the system's housekeeping processors.
    public static var estCpulist: Self { .init("est_cpulist") }
}

extension Setting where Value == SyncThreshold {
    /// `sync_threshold`: how often a connection is sent to backups. Default: 3 of 50.
    public static var syncThreshold: Self { .init("sync_threshold") }
}

extension Setting where Value == SyncVersion {
    /// `sync_version`: the version of the protocol to backups. Default: ``SyncVersion/current``.
    public static var syncVersion: Self { .init("sync_version") }
}

extension Setting where Value == SyncPersistMode {
    /// `sync_persist_mode`: which connections of persistent services are sent to backups. Default:
    /// ``SyncPersistMode/all``.
    public static var syncPersistMode: Self { .init("sync_persist_mode") }
}
