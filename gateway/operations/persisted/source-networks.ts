import { BlockList, isIP } from 'node:net'

/**
 * Whether an address is within one of the networks. An IPv4 address that is mapped into IPv6 counts as the IPv4 address. False for
 * an unknown address, and for any address if one of the networks cannot be read.
 *
 * @param ip the client address from API Gateway; undefined if the request has none
 * @param networks in CIDR notation: `192.0.2.0/24`, `2001:db8::/32`
 */
export function isWithinNetworks(ip: string | undefined, networks: readonly string[]): boolean {
  const family = familyOf(ip ?? '')
  if (ip === undefined || family === undefined) return false
  try {
    const list = new BlockList()
    for (const network of networks) {
      const [address = '', prefix = ''] = network.split('/')
      const of = familyOf(address)
      if (of === undefined || !/^\d{1,3}$/.test(prefix)) return false
      list.addSubnet(address, Number(prefix), of)
    }
    return list.check(ip, family)
  } catch {
    // a prefix out of range
    return false
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 0 ? undefined : version === 4 ? 'ipv4' : 'ipv6'
}
