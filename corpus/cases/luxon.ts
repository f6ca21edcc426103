import { DateTime, Duration, Interval } from 'luxon';

export const about = { package: 'luxon', covers: 'dates and time zones' };

export function run(): unknown {
  const start = DateTime.fromISO('2026-03-29T00:30', { zone: 'Europe/Berlin' });
  const end = start.plus({ hours: 2 });
  return [
    end.toISO(),
    end.setLocale('de').toLocaleString(DateTime.DATE_FULL),
    Interval.fromDateTimes(start, end).length('minutes'),
    Duration.fromISO('PT90M').toFormat('h:mm'),
  ];
}
