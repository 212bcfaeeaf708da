/** Google Cloud: a token of the machine's service account, from the metadata server. */
import { readFileIfThere } from '../bounded-file.ts'
import { askService, refusedBy, type ServiceRequest } from '../services/exchange.ts'
import type { AmbientPlace } from './ambient.ts'

/** Link-local, unencrypted, and never outside of the machine's host: the cloud's own design. */
const metadata = 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/identity'
const productFile = '/sys/class/dmi/id/product_name'

/** Asks the metadata server, on machines that the firmware says are Google's. `undefined` elsewhere: nothing is asked. */
export async function googleToken({ client, audience }: AmbientPlace): Promise<string | undefined> {
  const product = await readFileIfThere(productFile, 256).catch(() => undefined)
  if (product === undefined || !new TextDecoder().decode(product).includes('Google Compute Engine')) return undefined
  const url = new URL(metadata)
  url.searchParams.set('audience', audience)
  url.searchParams.set('format', 'full')
  const request: ServiceRequest = {
    service: "Google's metadata server",
    method: 'GET',
    url,
    headers: { 'metadata-flavor': 'Google' },
    repeatable: true,
    withoutTls: 'link-local metadata server',
  }
  const answer = await askService(client, request)
  if (answer.status !== 200) throw refusedBy(request, answer)
  return new TextDecoder().decode(answer.body).trim()
}
