"""What published models cost, which closed forms and counters have to give."""

# params and MACs per 224 x 224 image: a closed formula, hooks and both counters gave the same.
MEASURED = [
    ("convmixer_1536_20", 51_625_960, 51_099_168_768),
    ("convmixer_768_32", 21_110_248, 20_676_851_712),
    ("resnet50", 25_557_032, 4_089_184_256),
    ("resnet152", 60_192_808, 11_513_626_624),
    ("deit_small_patch16_224", 22_050_664, 4_598_882_304),
    ("deit_base_patch16_224", 86_567_656, 17_563_828_224),
    ("resmlp_12_224", 15_350_872, 3_009_739_776),
    ("resmlp_24_224", 30_020_680, 5_961_292_800),
    ("resmlp_big_24_224", 129_138_280, 100_230_739_968),
    ("mixer_s16_224", 18_528_264, 3_776_958_464),
    ("mixer_b16_224", 59_880_472, 12_601_767_936),
]
