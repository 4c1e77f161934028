import { isIPv4, isIPv6 } from 'node:net'

/**
 * Whether a text is a network in CIDR notation: an address whose bits after the prefix are 0, such as `192.0.2.0/24` or
 * `2001:db8::/32`. An IPv6 form of an IPv4 address is refused, because requests from there arrive with the IPv4 form.
 *
 * @source RFC 4632 section 3.1, RFC 4291 section 2.3
 */
export function isNetwork(text: string): boolean {
  const [, address = '', length] = /^([0-9A-Fa-f:.]{2,45})\/(0|[1-9]\d{0,2})$/.exec(text) ?? []
  if (length === undefined) return false
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !/^::ffff:/i.test(address) ? 128 : 0
  const host = bits - Number(length)
  return bits > 0 && host >= 0 && (bits === 32 ? ipv4(address) : ipv6(address)) % (1n << BigInt(host)) === 0n
}

function ipv4(address: string): bigint {
  return number(address.split('.').map(Number), 8n)
}

function ipv6(address: string): bigint {
  const [left = [], right = []] = address.split('::').map(groups)
  const zeros = Array<number>(8 - left.length - right.length).fill(0)
  return number([...left, ...zeros, ...right], 16n)
}

/** The 16-bit groups of a half of an IPv6 address. An IPv4 address at its end has two of them. */
function groups(half: string): number[] {
  if (half === '') return []
  return half.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const low = ipv4(group)
    return [Number(low >> 16n), Number(low & 0xffffn)]
  })
}

const number = (parts: readonly number[], width: bigint): bigint => parts.reduce((sum, part) => (sum << width) + BigInt(part), 0n)
