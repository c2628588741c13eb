import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// `packaging/meshctl.service` under a systemd of its own, which is process 1 of a PID namespace.
    @Suite struct ServiceUnitTests {
        /// With the capabilities and the view of the file system that the unit leaves it, the agent does everything: it
        /// publishes, makes namespaces, loads modules, holds a port below 1024, and answers. Stopping it leaves all in place.
        @Test func theAgentRunsUnderItsUnit() async throws {
            try await TemporaryDirectory.with { directory in
                let text = try await Shell.check(
                    ["bash", "-c", Self.script, "unit", directory.string, try BuiltProducts.path("meshctl")])
                #expect(text.contains("state: active\n"), "\(text)")
                #expect(text.contains("status: The kernel holds what it should.\n"), "\(text)")
                #expect(text.contains("published: 0\n") && text.contains("nothing to do: 0\n"), "\(text)")
                #expect(text.contains("mark: FWM  256 rr\n"), "\(text)")
                #expect(text.contains("helper: meshctl-lo-"), "\(text)")
                #expect(text.contains("held: EADDRINUSE\n"), "\(text)")
                #expect(text.contains("ready: The kernel holds what it should; "), "\(text)")
                #expect(text.contains("repaired: FWM  256 rr\n"), "\(text)")
                #expect(text.contains("stopped: inactive, success\n"), "\(text)")
                #expect(text.contains("mark after the end: FWM  256 rr\n"), "\(text)")
                #expect(text.contains("free again: bound\n"), "\(text)")
                // Nothing was refused that the unit should allow.
                #expect(!text.contains("journal: warning") && !text.contains("thread priority"), "\(text)")
            }
        }

        /// `$1`: a folder; `$2`: meshctl. Prints what it finds.
        private static let script = """
            set -eu
            units=$1/units
            mkdir -p $units/lab.target.wants /sys/fs/cgroup $1/state
            mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
            sed "s|/usr/local/bin/meshctl|$2|" packaging/meshctl.service >$units/meshctl.service
            printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n' >$units/lab.target
            ln -s ../meshctl.service $units/lab.target.wants/
            ip netns add mt-unit
            exec 3>&1
            (
                export container=lab SYSTEMD_UNIT_PATH=$units:
                exec ip netns exec mt-unit unshare --pid --mount --uts --ipc --fork --mount-proc sh -c '
                    mount -t tmpfs none /run
                    mkdir -p /run/lock /run/netns /var/lib/meshctl
                    mount -t tmpfs none /var/lib/meshctl
                    exec /lib/systemd/systemd --system --unit=lab.target --log-target=console' >$1/systemd.log 2>&1
            ) &
            inside() {
                pid=$(pgrep -f '^/lib/systemd/systemd --system --unit=lab.target' | tail -n 1)
                [ -n "$pid" ] && nsenter -t $pid -p -m -n -i -- "$@"
            }
            for _ in $(seq 600); do
                [ "$(inside systemctl is-active meshctl 2>/dev/null)" = active ] && break
                sleep 0.1
            done
            python='import errno, socket
            try:
                socket.socket().bind(("", 80))
                print("bound")
            except OSError as error:
                print(errno.errorcode[error.errno])'
            echo "state: $(inside systemctl is-active meshctl)"
            echo "status: $(inside systemctl show meshctl -P StatusText)"
            rc=0; inside $2 publish 80:8080 nginx >/dev/null || rc=$?; echo "published: $rc"
            inside $2 task add nginx 10.99.0.2 >/dev/null
            for _ in $(seq 100); do
                [ "$(inside python3 -c "$python")" = bound ] || break
                sleep 0.1
            done
            rc=0; inside $2 plan >/dev/null || rc=$?; echo "nothing to do: $rc"
            echo "mark: $(inside ipvsadm -Ln | grep -m 1 FWM | sed 's/ *$//')"
            echo "helper: $(inside ls /run/netns | tr '\\n' ' ')"
            echo "held: $(inside python3 -c "$python")"
            echo "ready: $(inside curl -s --unix-socket /run/meshctl/agent.sock http://localhost/readyz)"
            inside ipvsadm -C
            for _ in $(seq 100); do
                inside ipvsadm -Ln | grep -q FWM && break
                sleep 0.1
            done
            echo "repaired: $(inside ipvsadm -Ln | grep -m 1 FWM | sed 's/ *$//')"
            inside systemctl stop meshctl
            echo "stopped: $(inside systemctl is-active meshctl || true), $(inside systemctl show meshctl -P Result)"
            echo "mark after the end: $(inside ipvsadm -Ln | grep -m 1 FWM | sed 's/ *$//')"
            echo "free again: $(inside python3 -c "$python")"
            inside journalctl -u meshctl --no-pager -o cat | sed 's/^/journal: /'
            inside systemctl exit 0 >/dev/null 2>&1 || kill -9 $pid
            """
    }
}
