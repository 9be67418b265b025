# nomad job run nomad.hcl
job "halfopen" {
  type = "batch"

  group "parts" {
    count = 8 # the number of parts; it stands in `args` too, because Nomad does not tell a task how many there are

    # The same part again, never a part more.
    restart {
      attempts = 2
      mode     = "fail"
    }

    volume "parts" {
      type   = "host"
      source = "halfopen-parts"
    }

    task "scan" {
      driver = "docker"

      config {
        image    = "registry.example/halfopen:0.1.0"
        cap_add  = ["net_raw"] # SYN mode; the client must allow it. Without it the scan connects, with the same list
        command  = "/bin/sh"
        args = ["-c", <<-EOT
          set -e
          part=/parts/part-$NOMAD_ALLOC_INDEX
          halfopen --quiet --json --shard auto/8 -p "$PORTS" $TARGETS >"$part.partial"
          mv "$part.partial" "$part.jsonl"
        EOT
        ]
      }

      env {
        TARGETS = "192.0.2.0/24"
        PORTS   = "well-known"
      }

      volume_mount {
        volume      = "parts"
        destination = "/parts"
      }

      resources {
        cpu    = 1000
        memory = 256
      }
    }
  }
}
