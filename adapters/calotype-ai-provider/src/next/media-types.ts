/** Those that a `content-type` or `accept` header names, without their parameters. */
export function mediaTypesIn(header: string | null): string[] {
  return (header ?? '').split(',').map(type => type.replace(/;.*/s, '').trim().toLowerCase());
}
