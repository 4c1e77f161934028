import { isIP } from 'node:net'

/**
 * Returns the network of a request for counting: an IPv4 address, or the first 64 bits of an IPv6 address. Within those 64 bits
 * one machine can use any number of addresses (RFC 8981). Operators can block either form.
 *
 * @param ip the client address from API Gateway; undefined if the request has none
 */
export function sourceNetwork(ip: string | undefined): string {
  const [address = ''] = (ip ?? '').split('%')
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (isIP(mapped ?? address) === 4) return mapped ?? address
  if (isIP(address) !== 6) return 'unknown'
  const [left = [], right = []] = address.split('::').map((half) => (half === '' ? [] : half.split(':')))
  // an IPv4 address at the end replaces two groups, which are never among the first four
  const behind = right.length + (address.includes('.') ? 1 : 0)
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - behind)).fill('0'), ...right]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
