@testable import MeshKit

extension HostTexts {
    /// firewalld's own table, with 22 and 9090 open and 8080 forwarded to 80 in the zone `public`.
    static let firewalld = #"""
        {"nftables": [
        {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "firewalld", "handle": 1}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PREROUTING", "handle": 1, "type": "nat", "hook": "prerouting", "prio": -90, "policy": "accept"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PREROUTING_POLICIES_pre", "handle": 2}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PRE_policy_allow-host-ipv6", "handle": 3}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PREROUTING_ZONES", "handle": 4}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PREROUTING_POLICIES_post", "handle": 5}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PRE_public", "handle": 6}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PRE_public_pre", "handle": 7}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PRE_public_post", "handle": 8}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "nat_PRE_public_allow", "handle": 9}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_PREROUTING", "handle": 10, "type": "filter", "hook": "prerouting", "prio": 10, "policy": "accept"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT", "handle": 11, "type": "filter", "hook": "input", "prio": 10, "policy": "accept"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_FORWARD", "handle": 12, "type": "filter", "hook": "forward", "prio": 10, "policy": "accept"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT_ZONES", "handle": 13}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_FORWARD_ZONES", "handle": 14}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_FWD_public", "handle": 15}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT_POLICIES_pre", "handle": 16}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_INPUT_POLICIES_post", "handle": 17}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_policy_allow-host-ipv6", "handle": 18}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_policy_allow-host-ipv6_allow", "handle": 19}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public", "handle": 20}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public_pre", "handle": 21}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public_log", "handle": 22}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public_deny", "handle": 23}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public_post", "handle": 24}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_IN_public_allow", "handle": 25}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING", "handle": 26, "expr": [{"jump": {"target": "nat_PREROUTING_POLICIES_pre"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING", "handle": 27, "expr": [{"jump": {"target": "nat_PREROUTING_ZONES"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING", "handle": 28, "expr": [{"jump": {"target": "nat_PREROUTING_POLICIES_post"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING_POLICIES_pre", "handle": 29, "expr": [{"jump": {"target": "nat_PRE_policy_allow-host-ipv6"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING_ZONES", "handle": 30, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"goto": {"target": "nat_PRE_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PREROUTING_ZONES", "handle": 31, "expr": [{"goto": {"target": "nat_PRE_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PRE_public", "handle": 32, "expr": [{"jump": {"target": "nat_PRE_public_pre"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PRE_public", "handle": 33, "expr": [{"jump": {"target": "nat_PRE_public_allow"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PRE_public", "handle": 34, "expr": [{"jump": {"target": "nat_PRE_public_post"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "nat_PRE_public_allow", "handle": 35, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv4"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8080}}, {"redirect": {"port": 80}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_PREROUTING", "handle": 37, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}}, "right": {"set": ["nd-router-advert", "nd-neighbor-solicit"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_PREROUTING", "handle": 38, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv6"}}, {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "mark", "iif"]}}, "right": false}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 40, "expr": [{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["established", "related"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 41, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 42, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 43, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 44, "expr": [{"jump": {"target": "filter_INPUT_ZONES"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT", "handle": 45, "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 47, "expr": [{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["established", "related"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 48, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 49, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 50, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 52, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip6", "field": "daddr"}}, "right": {"set": [{"prefix": {"addr": "::", "len": 96}}, {"prefix": {"addr": "::ffff:0.0.0.0", "len": 96}}, {"prefix": {"addr": "2002::", "len": 24}}, {"prefix": {"addr": "2002:a00::", "len": 24}}]}}}, {"reject": {"type": "icmpv6", "expr": "addr-unreachable"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 53, "expr": [{"jump": {"target": "filter_FORWARD_ZONES"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD", "handle": 54, "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT_ZONES", "handle": 55, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"goto": {"target": "filter_IN_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT_ZONES", "handle": 56, "expr": [{"goto": {"target": "filter_IN_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD_ZONES", "handle": 57, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"goto": {"target": "filter_FWD_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FORWARD_ZONES", "handle": 58, "expr": [{"goto": {"target": "filter_FWD_public"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_FWD_public", "handle": 59, "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_INPUT_POLICIES_pre", "handle": 60, "expr": [{"jump": {"target": "filter_IN_policy_allow-host-ipv6"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_policy_allow-host-ipv6", "handle": 61, "expr": [{"jump": {"target": "filter_IN_policy_allow-host-ipv6_allow"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_policy_allow-host-ipv6_allow", "handle": 62, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}}, "right": "nd-neighbor-advert"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_policy_allow-host-ipv6_allow", "handle": 63, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}}, "right": "nd-router-advert"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 64, "expr": [{"jump": {"target": "filter_INPUT_POLICIES_pre"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 65, "expr": [{"jump": {"target": "filter_IN_public_pre"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 66, "expr": [{"jump": {"target": "filter_IN_public_log"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 67, "expr": [{"jump": {"target": "filter_IN_public_deny"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 68, "expr": [{"jump": {"target": "filter_IN_public_allow"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 69, "expr": [{"jump": {"target": "filter_IN_public_post"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 70, "expr": [{"jump": {"target": "filter_INPUT_POLICIES_post"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 72, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": ["icmp", "ipv6-icmp"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public", "handle": 73, "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public_allow", "handle": 75, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["new", "untracked"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public_allow", "handle": 77, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip6", "field": "daddr"}}, "right": {"prefix": {"addr": "fe80::", "len": 64}}}}, {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 546}}, {"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["new", "untracked"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "firewalld", "chain": "filter_IN_public_allow", "handle": 79, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 9090}}, {"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["new", "untracked"]}}}, {"accept": null}]}}
        ]}
        """#

    /// A ruleset written by hand: a policy of drop and many ways to accept, and a nat table.
    static let handwritten = #"""
        {"nftables": [
        {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
        {"table": {"family": "inet", "name": "filter", "handle": 4}},
        {"set": {"family": "inet", "name": "allowed", "table": "filter", "type": "inet_service", "handle": 3, "flags": ["interval"]}},
        {"set": {"family": "inet", "name": "nets", "table": "filter", "type": "ipv4_addr", "handle": 4, "flags": ["interval"]}},
        {"chain": {"family": "inet", "table": "filter", "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "inet", "table": "filter", "name": "web", "handle": 2}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 6, "expr": [{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}], ["established", {"accept": null}], ["related", {"accept": null}]]}}}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 7, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 9, "expr": [{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["established", "related"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 10, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 11, "expr": [{"match": {"op": "!=", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "127.0.0.0", "len": 8}}}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 12, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "protocol"}}, "right": "icmp"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 14, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": ["icmp", "ipv6-icmp"]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 16, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 80, {"range": [1000, 1010]}]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 17, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": "@allowed"}}, {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 19, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": {"set": ["tcp", "udp"]}}}, {"match": {"op": "==", "left": {"payload": {"protocol": "th", "field": "dport"}}, "right": 53}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 21, "expr": [{"match": {"op": "==", "left": {"concat": [{"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]}, "right": {"set": [{"concat": ["tcp", 70]}, {"concat": ["udp", 71]}]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 22, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@nets"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 5432}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 23, "expr": [{"match": {"op": "!=", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}, "right": "syn"}}, {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 24, "expr": [{"match": {"op": "==", "left": {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}, "right": "syn"}}, {"limit": {"rate": 3, "burst": 5, "per": "second"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 26, "expr": [{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[4000, {"accept": null}], [{"range": [4001, 4005]}, {"jump": {"target": "web"}}], [4006, {"drop": null}]]}}}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 27, "expr": [{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 123}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 29, "expr": [{"match": {"op": "!=", "left": {"fib": {"result": "type", "flags": ["daddr", "iif"]}}, "right": {"set": ["local", "broadcast", "multicast"]}}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 30, "expr": [{"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 31, "expr": [{"match": {"op": "==", "left": {"&": [{"meta": {"key": "mark"}}, 255]}, "right": 1}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 33, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": {"set": ["eth0", "wg*"]}}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 6000}}, {"log": {"prefix": "x: "}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 34, "expr": [{"match": {"op": ">=", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 60000}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 35, "expr": [{"match": {"op": "==", "left": {"meta": {"key": "pkttype"}}, "right": "host"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 61}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 37, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 500}}, {"meter": {"key": {"payload": {"protocol": "ip", "field": "saddr"}}, "stmt": {"limit": {"rate": 10, "burst": 5, "per": "second"}}, "size": 65535, "name": "m4"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": 38, "expr": [{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "web", "handle": 39, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 4002}}, {"drop": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "web", "handle": 40, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "10.1.0.1"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "filter", "chain": "web", "handle": 41, "expr": [{"return": null}]}},
        {"table": {"family": "ip", "name": "nat", "handle": 5}},
        {"map": {"family": "ip", "name": "portmap", "table": "nat", "type": "inet_service", "handle": 2, "map": "ipv4_addr"}},
        {"map": {"family": "ip", "name": "portmap2", "table": "nat", "type": "inet_service", "handle": 3, "map": "ipv4_addr . inet_service"}},
        {"chain": {"family": "ip", "table": "nat", "name": "pre", "handle": 1, "type": "nat", "hook": "prerouting", "prio": -100, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 4, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 1080}}, {"dnat": {"addr": "10.0.0.2", "port": 80}}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 5, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}}, {"redirect": {"port": 5353}}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 6, "expr": [{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": ["daddr"]}}, "right": "local"}}, {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8080}}, {"redirect": null}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 7, "expr": [{"dnat": {"addr": {"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@portmap"}}}}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 8, "expr": [{"dnat": {"family": "ip", "addr": {"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@portmap2"}}}}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 10, "expr": [{"dnat": {"addr": {"map": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[7100, "10.0.0.8"]]}}}}}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 11, "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [3000, 3010]}}}, {"dnat": {"addr": "10.0.0.9", "port": {"range": [4000, 4010]}}}]}}
        ]}
        """#

    /// What a kernel would say of the sets of `handwritten`, whose elements no listing has.
    static let answers = SetsOfTest { set, key in
        guard case .port(let port)? = key.last else { return nil }
        let isIn: Bool
        switch (set.kind, set.name) {
        case (.nft("inet", "filter"), "allowed"): isIn = (8000...8010).contains(port) || port == 9000
        case (.nft("ip", "nat"), "portmap"): isIn = port == 7000
        case (.nft("ip", "nat"), "portmap2"): isIn = port == 7001
        default: return nil
        }
        return isIn ? .present(nil) : .absent
    }
}
