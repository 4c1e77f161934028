import { existsSync } from 'node:fs'
import { LOOPBACK } from './ports.ts'
import { StartRefused } from './start-refused.ts'

/** PHI_LISTEN would open the local stack to other machines. */
class ListenRefused extends StartRefused {
  override readonly name = 'ListenRefused'
}

/** A file of the image that `Dockerfile` builds, and of no other machine. */
export const IMAGE_MARK = '/etc/phi-gateway-image'

/**
 * The address of the HTTP API and of the identity provider: the loopback address. A published port of a container does not reach that
 * address, so the image sets `PHI_LISTEN=0.0.0.0`. Outside of the image, the setting is refused.
 *
 * @throws ListenRefused
 */
export function listenAddress(env: NodeJS.ProcessEnv, isImage = (): boolean => existsSync(IMAGE_MARK)): string {
  const wanted = env['PHI_LISTEN']
  if (wanted === undefined || wanted === LOOPBACK) return LOOPBACK
  if (wanted === '0.0.0.0' && isImage()) return wanted
  throw new ListenRefused(
    'PHI_LISTEN is for the container image only, because the local stack issues tokens without a password. Unset PHI_LISTEN.',
  )
}
