"""What pip calls to build a wheel of the plugin: it is the module, and the .dist-info that lies beside it."""

import glob
import os
import zipfile

_TAG = "py3-none-any"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    (info,) = glob.glob("*.dist-info")
    files = ["portshim_pytest.py"] + sorted(glob.glob(info + "/*"))
    name = "%s-%s.whl" % (info[: -len(".dist-info")], _TAG)
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in files:
            wheel.write(file)
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: portshim\nRoot-Is-Purelib: true\nTag: %s\n" % _TAG)
        files += [info + "/WHEEL", info + "/RECORD"]
        wheel.writestr(info + "/RECORD", "".join("%s,,\n" % file for file in files))
    return name
