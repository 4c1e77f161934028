/** `PLAIN`: ids as they are in the log. Otherwise keyed digests, and no sign of a consent: for a receiver outside of the boundary. */
type ExportIdentifiers = 'PLAIN' | { readonly digestKey: Uint8Array }

export interface ExportOptions {
  readonly identifiers: ExportIdentifiers
  /** The base URL of the gateway, such as `https://phi.example`. It begins the systems of ids and codes, and names the server. */
  readonly gateway: string
  /** The roles of the kind PARTNER in the policy. An access in such a role is a disclosure. Use by the workforce is not. */
  readonly partnerRoles: ReadonlySet<string>
}

/** A shorter key could be guessed: a receiver could then test the ids of patients. */
const MIN_KEY_BYTES = 32

/** @throws TypeError if the URL is not absolute, has a query, a fragment or credentials, or if the key has less than 32 bytes */
export function checkExportOptions({ identifiers, gateway }: ExportOptions): void {
  if (identifiers !== 'PLAIN' && identifiers.digestKey.length < MIN_KEY_BYTES)
    throw new TypeError('the key for digests needs 32 bytes or more')
  const url = URL.canParse(gateway) ? new URL(gateway) : undefined
  const isBase = url !== undefined && /^https?:$/.test(url.protocol) && url.search + url.hash + url.username + url.password === ''
  if (!isBase || /[\s?#]|\/$/.test(gateway))
    throw new TypeError(
      'the URL of the gateway must begin with https:// or http://, and end with a host or a path, without a slash',
    )
}
