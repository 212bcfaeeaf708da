/** The two kinds of registries that exist: one without the referrers API and without compare-and-swap, and one with both. */
import { CountersignError } from '@countersign/core/failure'
import { startDockerRegistry } from '@countersign/testkit/docker-registry'
import { startTestRegistry } from '@countersign/testkit/registry/server'

/** Hosts (`127.0.0.1:PORT`) of running registries. */
export type Registries = {
  /** docker-registry 2.8.3, the real one. */
  readonly docker: string
  /** OCI 1.1, of the test kit. */
  readonly oci11: string
  readonly close: () => Promise<void>
}

/** Starts both. */
export async function startRegistries(): Promise<Registries> {
  const docker = await startDockerRegistry()
  if (docker === undefined) throw new CountersignError('usage', 'docker-registry not found; scripts/install-peers fetches it')
  const oci11 = await startTestRegistry()
  return {
    docker: docker.host,
    oci11: oci11.host,
    close: async () => {
      await docker.stop()
      await oci11.stop()
    },
  }
}
