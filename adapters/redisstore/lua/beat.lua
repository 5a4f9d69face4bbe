-- ARGV[1] the channel of one watcher; ARGV[2] the number of the beat. A replica refuses the script, so a beat that
-- comes back has been to the primary.

redis.call('PUBLISH', ARGV[1], ARGV[2])
return 'OK'
